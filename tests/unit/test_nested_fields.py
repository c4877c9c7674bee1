"""A request with an object inside: its rules, its description, and times that have to be fresh."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import jsonschema_rs
import pytest

from satyapan.errors import Fault, InvalidRequest
from satyapan.kinds import Kind, Registry
from satyapan.kinds.describe import kind_data, needs
from satyapan.kinds.fields import at_least, flag, nested, request, text
from satyapan.kinds.json_schema import request_schema
from satyapan.kinds.values import with_value

PASSPORT: Final = Registry()["passport"]
KIND: Final = replace(
    PASSPORT,
    request=request(
        consent=nested(
            "what the person agreed to",
            given=flag("whether the person agreed"),
            purpose=text(at_least(5), length=10, rule="5 to 10 characters"),
            note=text(required=False),
        ),
        loud=flag("whether to say it loudly", required=False),
    ),
    operations={
        "cashfree": replace(PASSPORT.operation("cashfree"), max_age_s={"consent.at": 300}),
    },
    public_fields=("given",),
    example={"consent": {"given": True, "purpose": "to try", "at": "2025-10-27T09:24:36Z"}},
)
GIVEN: Final = {"given": True, "purpose": "to try"}


def faults(given: Mapping[str, Any]) -> list[Fault]:
    try:
        KIND.check(given)
    except InvalidRequest as refused:
        return list(refused.faults)
    return []


@pytest.mark.parametrize(
    ("consent", "code", "message"),
    [
        (None, "consent_missing", "consent is missing in the request."),
        ("yes", "consent_value_invalid", "consent should be an object."),
        ([GIVEN], "consent_value_invalid", "consent should be an object."),
    ],
)
def test_an_object_is_needed(consent: object, code: str, message: str) -> None:
    assert faults({"consent": consent}) == [Fault("consent", code, message)]
    assert not jsonschema_rs.is_valid(request_schema(KIND), {"consent": consent})


@pytest.mark.parametrize(
    ("change", "name", "code"),
    [
        ({"purpose": None}, "purpose", "purpose_missing"),
        ({"purpose": "why"}, "purpose", "purpose_length_short"),
        ({"purpose": "x" * 11}, "purpose", "purpose_length_exceeded"),
        ({"purpose": 12345}, "purpose", "purpose_value_invalid"),
        ({"given": None}, "given", "given_missing"),
        ({"given": "perhaps"}, "given", "given_value_invalid"),
        ({"given": []}, "given", "given_value_invalid"),
        ({"more": 1}, "more", "consent.more_value_invalid"),
    ],
)
def test_a_fault_inside_names_the_path_and_has_the_code_of_the_field(
    change: Mapping[str, object], name: str, code: str
) -> None:
    (fault,) = faults({"consent": {**GIVEN, **change}})

    assert (fault.field, fault.code) == (f"consent.{name}", code)
    assert not jsonschema_rs.is_valid(request_schema(KIND), {"consent": {**GIVEN, **change}})


def test_all_faults_inside_are_raised_at_once() -> None:
    assert {fault.field for fault in faults({"consent": {}})} == {
        "consent.given",
        "consent.purpose",
    }


@pytest.mark.parametrize("said", [True, "true"])
def test_a_flag_may_be_the_word_that_a_command_line_gives(said: object) -> None:
    checked = KIND.check({"consent": GIVEN, "loud": said})

    assert checked["loud"] is True


def test_an_optional_field_inside_may_be_null_and_is_not_stored() -> None:
    assert KIND.check({"consent": {**GIVEN, "note": None}}) == {"consent": GIVEN}
    assert jsonschema_rs.is_valid(request_schema(KIND), {"consent": {**GIVEN, "note": None}})


def test_fields_inside_are_described_by_their_path_and_are_as_private_as_the_object() -> None:
    described = {each["name"]: each for each in kind_data(KIND, datetime.now(UTC))["request"]}

    assert described["consent"]["type"] == "object"
    assert described["consent.given"] == {
        "name": "consent.given",
        "type": "true or false",
        "required": True,
        "private": True,
        "rule": "whether the person agreed",
    }
    assert list(needs(KIND)) == ["consent"]


def test_the_schema_has_the_fields_inside() -> None:
    described = request_schema(KIND)["properties"]["consent"]

    assert described["type"] == "object"
    assert described["required"] == ["given", "purpose"]
    assert described["additionalProperties"] is False
    assert described["properties"]["given"] == {
        "description": "whether the person agreed",
        "type": "boolean",
        "x-private": True,
    }
    assert described["properties"]["purpose"]["minLength"] == 5


# ---- examples with a time that has to be fresh ----


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_an_example_can_be_sent_now(zone: timezone) -> None:
    now = datetime(2027, 1, 15, 8, 0, 0, 5, UTC).astimezone(zone)

    example = KIND.example_at(now)

    assert example["consent"] == {**KIND.example["consent"], "at": "2027-01-15T08:00:00Z"}
    assert not KIND.operation("cashfree").stale(example, round(now.timestamp() * 1000))
    assert KIND.example["consent"]["at"] == "2025-10-27T09:24:36Z"


def test_an_example_without_such_a_time_stays_as_it_is() -> None:
    without = replace(KIND, example={"consent": GIVEN})

    assert PASSPORT.example_at(datetime.now(UTC)) == PASSPORT.example
    assert without.example_at(datetime.now(UTC)) == without.example


def test_a_value_is_replaced_at_a_path_of_a_copy() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": 3}

    assert with_value(before, "a.b", 7) == {"a": {"b": 7, "c": 2}, "d": 3}
    assert with_value(before, "d", 7) == {"a": {"b": 1, "c": 2}, "d": 7}
    assert before == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize("kind", tuple(Registry()), ids=lambda kind: str(kind.name))
def test_the_example_of_each_kind_is_accepted_at_any_time(kind: Kind) -> None:
    example = kind.example_at(datetime(2030, 1, 1, tzinfo=UTC))

    assert kind.check(example) == example
