"""Requests: every rule of a kind, with all faults at once. Kinds as data.

``test_published_answers.py`` has the refusals that the vendor publishes.
"""

import gc
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import date
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from satyapan.canonical import canonical
from satyapan.errors import Fault, InvalidRequest
from satyapan.ids import id_faults
from satyapan.kinds import PLACES, Kind, Registry
from satyapan.kinds.identity.digilocker import DIGILOCKER
from satyapan.kinds.identity.passport import PASSPORT
from satyapan.kinds.links.static_kyc_link import STATIC_KYC_LINK
from satyapan.kinds.model import Mode, Recovery, Result
from satyapan.records import State

KINDS = tuple(Registry())
OPERATIONS = [
    pytest.param(kind, key, id=f"{kind.name}-{key}") for kind in KINDS for key in kind.operations
]
PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
DOCUMENTS = {"document_requested": ["AADHAAR"]}
LONG = "x" * 201

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
FIELDS = ["file_number", "dob", "name", "document_requested", "user_flow", "template_name"]
NAMES = st.sampled_from(
    [*FIELDS, "return_url", "verification_id", "code", "message", "_schema", ""]
)


def faults(kind: Kind, request: object) -> list[Fault]:
    """Return the faults of a request, which may be any JSON value."""
    given_request: Any = request
    try:
        kind.check(given_request)
    except InvalidRequest as refused:
        return list(refused.faults)
    return []


def numbered(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    """Name test cases by kind and number: a frozenset's repr differs between processes."""
    return [f"{kind.name}-{number}" for number, (kind, *_) in enumerate(cases)]


# ---- every rule, one by one ----

ACCEPTED: list[tuple[Kind, Mapping[str, Any]]] = [
    *((kind, kind.example) for kind in KINDS),
    (PASSPORT, {**PERSON, "name": "जॉन डो"}),
    (PASSPORT, {**PERSON, "name": ""}),
    (PASSPORT, {**PERSON, "name": None}),
    (PASSPORT, {**PERSON, "dob": "2024-02-29"}),
    (PASSPORT, {**PERSON, "file_number": "x" * 200}),
    (DIGILOCKER, {"document_requested": ["DRIVING_LICENSE", "PAN", "AADHAAR"]}),
    (DIGILOCKER, {**DOCUMENTS, "user_flow": "signin"}),
    (DIGILOCKER, {**DOCUMENTS, "user_flow": None, "return_url": None}),
    (DIGILOCKER, {**DOCUMENTS, "return_url": "https://shop.example:8443/kyc/done?order=7#top"}),
    (STATIC_KYC_LINK, {"template_name": "A.b_c-9"}),
]
REFUSED: list[tuple[Kind, Mapping[str, Any], str, str]] = [
    (PASSPORT, {**PERSON, "file_number": None}, "file_number", "file_number_missing"),
    (PASSPORT, {**PERSON, "file_number": ""}, "file_number", "file_number_missing"),
    (PASSPORT, {**PERSON, "file_number": " \t"}, "file_number", "file_number_missing"),
    (PASSPORT, {**PERSON, "file_number": 7}, "file_number", "file_number_value_invalid"),
    (PASSPORT, {**PERSON, "file_number": ["x"]}, "file_number", "file_number_value_invalid"),
    (PASSPORT, {**PERSON, "file_number": LONG}, "file_number", "file_number_length_exceeded"),
    (PASSPORT, {**PERSON, "file_number": "\ud800"}, "file_number", "file_number_value_invalid"),
    (PASSPORT, {**PERSON, "dob": None}, "dob", "dob_missing"),
    (PASSPORT, {**PERSON, "dob": ""}, "dob", "dob_missing"),
    (PASSPORT, {**PERSON, "dob": 20070301}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "20070301"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "2007-W09-4"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "2007-3-1"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "2023-02-29"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "2007-03-01\n"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "2007-03-01T00:00"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "dob": "२००७-०३-०१"}, "dob", "dob_value_invalid"),
    (PASSPORT, {**PERSON, "name": 7}, "name", "name_value_invalid"),
    (PASSPORT, {**PERSON, "name": LONG}, "name", "name_length_exceeded"),
    (PASSPORT, {**PERSON, "verification_id": "a"}, "verification_id", ""),
    (PASSPORT, {**PERSON, "code": "a"}, "code", ""),
    (PASSPORT, {**PERSON, "message": "a"}, "message", ""),
    (DIGILOCKER, {"document_requested": None}, "", "document_requested_missing"),
    (DIGILOCKER, {"document_requested": "AADHAAR"}, "", "invalid_request"),
    (DIGILOCKER, {"document_requested": {"AADHAAR": 1}}, "", "invalid_request"),
    (DIGILOCKER, {"document_requested": ["aadhaar"]}, "", "invalid_request"),
    (DIGILOCKER, {"document_requested": [None]}, "", "invalid_request"),
    (DIGILOCKER, {"document_requested": [["PAN"]]}, "", "invalid_request"),
    (DIGILOCKER, {"document_requested": [{}]}, "", "invalid_request"),
    (DIGILOCKER, {**DOCUMENTS, "user_flow": "login"}, "user_flow", "user_flow_value_invalid"),
    (DIGILOCKER, {**DOCUMENTS, "user_flow": ""}, "user_flow", "user_flow_value_invalid"),
    (DIGILOCKER, {**DOCUMENTS, "redirect_url": "https://shop.example"}, "redirect_url", ""),
    (STATIC_KYC_LINK, {"template_name": None}, "template_name", "template_name_missing"),
    (STATIC_KYC_LINK, {"template_name": ""}, "template_name", "template_name_missing"),
    (STATIC_KYC_LINK, {"template_name": "a\n"}, "template_name", "template_name_value_invalid"),
    (STATIC_KYC_LINK, {"template_name": "नाम"}, "template_name", "template_name_value_invalid"),
    (STATIC_KYC_LINK, {"template_name": LONG}, "template_name", "template_name_length_exceeded"),
    *(
        (DIGILOCKER, {**DOCUMENTS, "return_url": url}, "return_url", "return_url_value_invalid")
        for url in (
            "",
            "shop.example",
            "HTTPS//shop.example",
            "ftp://shop.example",
            "javascript:alert(1)",
            "https:///path",
            "https://[",
            "https://shop.example:99999/",
            "https://shop.example/a b",
            "https://shop.example/\r\nSet-Cookie: a",
            "https://shop.example/\x00",
            "https://shop.example@evil.example/",
            "https://evil.example\\@shop.example/",
        )
    ),
    (
        DIGILOCKER,
        {**DOCUMENTS, "return_url": f"https://shop.example/{'x' * 2000}"},
        "return_url",
        "return_url_length_exceeded",
    ),
]


@pytest.mark.parametrize(("kind", "request_"), ACCEPTED, ids=numbered(ACCEPTED))
def test_a_valid_request_is_kept_without_its_nulls(kind: Kind, request_: Mapping[str, Any]) -> None:
    assert kind.check(request_) == {k: v for k, v in request_.items() if v is not None}


@pytest.mark.parametrize(("kind", "request_", "name", "code"), REFUSED, ids=numbered(REFUSED))
def test_a_request_that_breaks_one_rule_has_one_fault(
    kind: Kind, request_: Mapping[str, Any], name: str, code: str
) -> None:
    (fault,) = faults(kind, request_)

    name = name or "document_requested"
    assert (fault.field, fault.code) == (name, code or f"{name}_value_invalid")
    assert fault.message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
@pytest.mark.parametrize("request_", [None, [], "text", 7, True])
def test_a_request_that_is_not_an_object_is_refused(kind: Kind, request_: object) -> None:
    (fault,) = faults(kind, request_)

    assert fault.field == "request"


def test_all_faults_are_raised_at_once_those_of_the_id_first() -> None:
    bad = {"dob": "yesterday", "name": LONG, "colour": "blue"}

    with pytest.raises(InvalidRequest) as caught:
        PASSPORT.check(bad, id_faults("a b"))

    first, *others = [fault.field for fault in caught.value.faults]
    assert first == "verification_id"
    assert sorted(others) == ["colour", "dob", "file_number", "name"]
    assert all(fault.message in str(caught.value) for fault in caught.value.faults)


def test_one_field_may_break_two_rules() -> None:
    found_faults = faults(STATIC_KYC_LINK, {"template_name": "!" * 201})

    assert [fault.code for fault in found_faults] == [
        "template_name_length_exceeded",
        "template_name_value_invalid",
    ]


def test_a_refusal_keeps_nothing_of_the_request() -> None:
    class Template(str):
        __slots__ = ("__weakref__",)

    template = Template("not a name!")
    kept = weakref.ref(template)

    assert faults(STATIC_KYC_LINK, {"template_name": template})
    del template
    gc.collect()

    assert kept() is None


def test_a_fault_repeats_no_value() -> None:
    bad = {"file_number": ["canary"], "dob": "canary", "name": "canary" * 99, "code": "canary"}

    with pytest.raises(InvalidRequest) as caught:
        PASSPORT.check(bad)

    assert "canary" not in str(caught.value)


@given(JSON | st.dictionaries(NAMES, JSON) | st.dictionaries(NAMES, st.text()))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_any_json_is_accepted_or_refused_without_another_error(
    kind: Kind, request_: object
) -> None:
    found_faults = faults(kind, request_)

    assert all(isinstance(text, str) for fault in found_faults for text in astuple(fault))
    assert found_faults or canonical(kind.check(cast("dict[str, Any]", request_)))


# ---- kinds as data ----


@pytest.mark.parametrize(("kind", "key"), OPERATIONS)
def test_a_kind_describes_itself(kind: Kind, key: str) -> None:
    operation = kind.operation(key)

    assert kind.title
    assert set(kind.public_fields) <= {*kind.request().fields, *kind.result_fields}
    assert kind.result_fields
    assert set(operation.status_map) <= {*kind.labels, "PENDING"}
    # The README promises that no other kind is paid for twice without a person who decides it.
    assert kind.lost_answer == ("reissue" if kind.name == "digilocker" else "park")


@pytest.mark.parametrize(("kind", "key"), OPERATIONS)
def test_the_rules_find_in_a_kind_what_they_need(kind: Kind, key: str) -> None:
    """Otherwise a worker would find out after the paid call."""
    operation = kind.operation(key)
    routes = [each for each in (operation.create, operation.status, operation.document) if each]
    meanings = [meaning for route in routes for meaning in route.answers.values()]
    recovery = operation.recovery
    waits = State.PENDING in operation.status_map.values()

    assert {m.status for m in meanings if isinstance(m, Result)} <= set(operation.status_map)
    assert operation.status or not (waits or recovery in {Recovery.READ, Recovery.REFERENCE})
    assert waits or operation.mode not in {Mode.ASYNC, Mode.JOURNEY}
    assert recovery is not Recovery.REFERENCE or routes[1].by_reference
    assert operation.mode is not Mode.JOURNEY or operation.link_life_s
    assert operation.repeatable or recovery is not Recovery.REPEAT
    # A repeated call's reply may name another reference than the failed one's.
    assert "reference_id" not in operation.create.echoes


def test_a_field_that_a_kind_does_not_mention_is_private() -> None:
    assert PASSPORT.is_public("application_type")
    assert PASSPORT.is_public("status")
    assert not PASSPORT.is_public("file_number")
    assert not PASSPORT.is_public("a_field_that_the_vendor_added")


def test_the_registry_returns_kinds_by_name() -> None:
    registry = Registry()

    assert [kind.name for kind in registry] == list(PLACES)
    assert registry["passport"] is registry.ask("passport") is PASSPORT
    with pytest.raises(KeyError):
        registry["no_such_kind"]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=", ".join(sorted(PLACES))):
        Registry().ask("no_such_kind")


class PluginRequest(Schema):
    """The request of a kind that a producer defines."""

    day = fields.Date()


PLUGIN_KIND = replace(PASSPORT, name="plugin", request=PluginRequest)


def test_a_plugin_kind_is_loaded_by_its_import_path() -> None:
    registry = Registry.with_plugins([f"{__name__}:PLUGIN_KIND"])

    assert [kind.name for kind in registry][-1] == "plugin"
    assert registry.ask("plugin") is not None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("satyapan.nowhere:A", ImportError),
        ("satyapan.ids:NOTHING", AttributeError),
        ("satyapan.ids:MAX_LENGTH", TypeError),
    ],
)
def test_an_import_path_without_a_kind_is_refused(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Registry.with_plugins([path])


def test_a_value_that_json_cannot_hold_is_a_fault_of_its_field() -> None:
    (fault,) = faults(PLUGIN_KIND, {"day": date(2026, 1, 1).isoformat()})

    assert (fault.field, fault.code) == ("day", "day_value_invalid")
