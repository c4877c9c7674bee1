"""The reply table: replies that are not published, and any reply at all.

``test_published_answers.py`` has the published ones.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.kinds import Registry
from satyapan.kinds.model import Operation, Role
from shared.scrub import parse
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

NOW = 1_700_000_000.0
KINDS = ("digilocker", "passport", "static_kyc_link")


def operation(kind: str) -> Operation:
    return Registry()[kind].operation("cashfree")


def judge(
    kind: str,
    role: Role,
    status: int,
    body: object,
    headers: Mapping[str, str] | None = None,
    vendor_id: str = "v-1",
    item: str = "PAN",
    **known: object,
) -> Answer:
    raw = Raw(status, headers or {}, b"")
    asked = Asked(operation(kind), role, vendor_id, known, item)
    return classify(asked, raw, body, NOW)


def create(kind: str, status: int, code: object, **more: object) -> Answer:
    return judge(kind, Role.CREATE, status, {"code": code, "message": "a text", **more})


@pytest.mark.parametrize(
    ("kind", "status", "code", "field"),
    [
        ("passport", 400, "file_number_missing", "file_number"),
        ("passport", 400, "dob_value_invalid", "dob"),
        ("passport", 400, "verification_id_length_exceeded", "verification_id"),
        ("passport", 400, "name_length_short", "name"),
        ("passport", 400, "invalid_request", ""),
        ("digilocker", 400, "invalid_request", "document_requested"),
        ("static_kyc_link", 404, "template_name_not_found", "template_name"),
        ("passport", 401, "dob_missing", ""),
        ("passport", 409, "verification_id_already_exists", ""),
    ],
)
def test_a_refusal_names_the_field(kind: str, status: int, code: str, field: str) -> None:
    assert create(kind, status, code).refused_field == field


@pytest.mark.parametrize(
    ("kind", "role", "status", "code", "outcome"),
    [
        # The same code has three meanings; the HTTP status decides which.
        ("digilocker", Role.CREATE, 409, "verification_id_value_invalid", Outcome.DUPLICATE),
        ("digilocker", Role.CREATE, 400, "verification_id_value_invalid", Outcome.REFUSED),
        ("digilocker", Role.STATUS, 404, "verification_id_value_invalid", Outcome.MISSING),
        ("digilocker", Role.DOCUMENT, 404, "reference_id_value_invalid", Outcome.MISSING),
        # The duplicate code of another operation means no duplicate here.
        ("passport", Role.CREATE, 409, "verification_id_value_invalid", Outcome.UNKNOWN),
        ("digilocker", Role.CREATE, 409, "verification_id_already_exists", Outcome.UNKNOWN),
        ("static_kyc_link", Role.CREATE, 409, "verification_id_already_exists", Outcome.UNKNOWN),
        ("digilocker", Role.STATUS, 409, "verification_id_value_invalid", Outcome.UNKNOWN),
        # Document fetches.
        ("digilocker", Role.DOCUMENT, 202, "validation_pending", Outcome.WAIT),
        ("digilocker", Role.DOCUMENT, 202, "anything", Outcome.WAIT),
        ("digilocker", Role.DOCUMENT, 400, "session_expired", Outcome.GONE),
        ("digilocker", Role.DOCUMENT, 400, "url_expired", Outcome.GONE),
        ("digilocker", Role.DOCUMENT, 400, "consent_not_granted", Outcome.GONE),
        ("digilocker", Role.DOCUMENT, 400, "user_detail_mismatch", Outcome.GONE),
        ("digilocker", Role.DOCUMENT, 400, "document_type_value_invalid", Outcome.REFUSED),
        ("digilocker", Role.STATUS, 400, "session_expired", Outcome.REFUSED),
        ("digilocker", Role.CREATE, 400, "session_expired", Outcome.REFUSED),
        ("digilocker", Role.DOCUMENT, 422, "insufficient_balance", Outcome.STOPPED),
        # Reads: an unknown 404 proves nothing about our id.
        ("digilocker", Role.STATUS, 404, "other", Outcome.UNKNOWN),
        ("digilocker", Role.STATUS, 404, None, Outcome.UNKNOWN),
        # Replies that the pages don't document.
        ("passport", Role.CREATE, 422, "npci_unavailable", Outcome.UNKNOWN),
        ("passport", Role.CREATE, 422, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 400, "x-client-secret_missing", Outcome.STOPPED),
        ("passport", Role.CREATE, 401, None, Outcome.STOPPED),
        ("passport", Role.CREATE, 403, "whatever", Outcome.STOPPED),
        ("passport", Role.CREATE, 404, "not_here", Outcome.MISSING),
        ("passport", Role.CREATE, 201, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 204, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 408, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 413, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 418, "teapot", Outcome.UNKNOWN),
        ("passport", Role.CREATE, 503, None, Outcome.UNKNOWN),
        ("passport", Role.CREATE, 504, "gateway", Outcome.UNKNOWN),
        ("passport", Role.CREATE, 599, None, Outcome.UNKNOWN),
    ],
)
def test_a_reply_is_classified_by_route_status_and_code(
    kind: str, role: Role, status: int, code: str | None, outcome: Outcome
) -> None:
    answer = judge(kind, role, status, {"code": code, "message": "a text"})

    assert (answer.outcome, answer.code) == (outcome, code or f"http_{status}")


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_has_an_unknown_outcome(status: int) -> None:
    answer = create("passport", status, "x")

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "redirected")


def test_the_sandboxes_request_for_test_data_is_a_refusal() -> None:
    message = "Please use the Test Data given in the documentation"

    refusal = create("passport", 502, "verification_failed", message=message)
    others = [
        create("passport", 502, "other", message=message),
        create("passport", 500, "verification_failed", message=message),
        create("passport", 502, "verification_failed", message=["no text"]),
    ]

    assert (refusal.outcome, refusal.code) == (Outcome.REFUSED, "test_data_only")
    assert {other.outcome for other in others} == {Outcome.UNKNOWN}


def passport(**more: object) -> dict[str, object]:
    return {"verification_id": "v-1", "reference_id": 7, "status": "VALID", **more}


def test_a_reply_is_kept_whole() -> None:
    body = passport(name=None, newer={"x": 1})

    answer = judge("passport", Role.CREATE, 200, body)

    assert (answer.outcome, answer.reference, answer.status) == (Outcome.OK, "7", "VALID")
    assert answer.body == body


@pytest.mark.parametrize(
    "body",
    [
        parse(b""),
        parse(b"<html>"),
        parse(b'{"verification_id": "v-1"'),
        parse(b"\xff\xfe\x00"),
        parse(b"[" * 100_000),
        [passport()],
        "text",
        7,
        {},
        {"type": "internal_error", "code": "verification_failed", "message": "a text"},
        passport(status=None),
        passport(status={"VALID": 1}),
        passport(verification_id=None),
    ],
)
def test_a_200_that_is_not_the_routes_reply_is_garbled(body: object) -> None:
    answer = judge("passport", Role.CREATE, 200, body)

    assert (answer.outcome, answer.code, answer.body) == (Outcome.UNKNOWN, "garbled", None)


@pytest.mark.parametrize("url", ["", None, [], {"a": 1}])
def test_a_create_reply_without_its_link_is_garbled(url: object) -> None:
    body = {"verification_id": "v-1", "reference_id": 7, "status": "PENDING", "url": url}

    assert judge("digilocker", Role.CREATE, 200, body).code == "garbled"


@pytest.mark.parametrize(
    ("kind", "role", "body"),
    [
        ("passport", Role.CREATE, passport(verification_id="v-2")),
        ("digilocker", Role.CREATE, passport(verification_id="v-2", url="https://x")),
        ("digilocker", Role.STATUS, passport(verification_id="V-1")),
        ("digilocker", Role.DOCUMENT, {"verification_id": "v-2"}),
    ],
)
def test_a_200_about_another_id_is_foreign(kind: str, role: Role, body: dict[str, Any]) -> None:
    answer = judge(kind, role, 200, body)

    assert (answer.outcome, answer.code, answer.body) == (Outcome.UNKNOWN, "foreign_id", None)


def test_a_document_without_our_id_is_accepted_and_kept_whole() -> None:
    body = {"status": "SUCCESS", "pan": "ABCPV1234D", "categories": {"a": [1, None]}}

    assert judge("digilocker", Role.DOCUMENT, 200, body).body == body


def test_a_link_needs_no_id() -> None:
    body = {
        "static_link": "https://x/y",
        "template_name": "t",
        "status": "ACTIVE",
        "qr_code": "iVBO",
    }

    assert judge("static_kyc_link", Role.CREATE, 200, body).outcome is Outcome.OK


def test_full_aadhaar_numbers_are_masked_except_in_ids() -> None:
    number = "234123412346"
    ids = {"verification_id": number, "reference_id": number}
    body = {**ids, "uid": number, "text": f"is {number}."}

    answer = judge("digilocker", Role.DOCUMENT, 200, body, vendor_id=number, item="AADHAAR")

    assert answer.body == {
        **ids,
        "uid": "XXXX XXXX 2346",
        "text": "is XXXX XXXX 2346.",
    }


def test_a_link_that_contains_an_aadhaar_number_is_not_changed() -> None:
    url = "https://verification.example/dgl/234123412346"

    answer = judge("digilocker", Role.CREATE, 200, passport(url=url))

    assert answer.body is not None
    assert answer.body["url"] == url


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.2"}, 1),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50"}, 30),
        ({"retry-after": "7", "x-ratelimit-retry": "8", "x-ratelimit-reset": "9"}, 7),
        ({"x-ratelimit-retry": "8", "x-ratelimit-reset": "9"}, 8),
        ({"x-ratelimit-reset": "9"}, 9),
        ({"retry-after": "soon", "x-ratelimit-reset": "9"}, 9),
        ({"x-ratelimit-reset": "1700000030"}, 30),
        ({"x-ratelimit-reset": "1700000030000"}, 30),
        ({"x-ratelimit-reset": "1699999000"}, 1),
        ({"retry-after": "nan"}, 60),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "Tue, 14 Nov 1923 22:13:50 GMT"}, 1),
        ({"retry-after": "99999999999999999999"}, 3600),
        ({"retry-after": "inf"}, 3600),
        ({"retry-after": "Tue, 14 Nov 9999 22:13:50 GMT"}, 3600),
        ({"retry-after": "Tue, 99 Nov 2023 22:13:50 GMT"}, 60),
        ({"retry-after": "\u0663"}, 3),
        ({"retry-after": ""}, 60),
    ],
)
def test_the_headers_of_a_429_say_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    answer = judge("passport", Role.CREATE, 429, None, headers)

    assert (answer.outcome, answer.not_before_s) == (Outcome.THROTTLED, seconds)


@pytest.mark.parametrize(
    "code",
    ["", "two words", "a" * 65, "line\nbreak", "dob\n", 'quo"te', "é", 7, None, [], {"code": "x"}],
)
def test_a_code_that_is_not_safe_to_show_is_replaced(code: object) -> None:
    assert create("passport", 500, code).code == "http_500"


def test_the_vendors_message_is_not_in_the_answer() -> None:
    message = "your current ip is 106.51.91.104"

    assert "106.51" not in repr(create("passport", 403, "ip_validation_failed", message=message))


@pytest.mark.parametrize(
    ("more", "reference"),
    [
        ({}, ""),
        ({"reference_id": 12}, "12"),
        ({"reference_id": "12"}, "12"),
        ({"refId": 12}, "12"),
        ({"error": {"ref_id": 12}}, "12"),
        ({"error": {"refId": "12"}}, "12"),
        ({"error": {"reference_id": 12}}, "12"),
        ({"error": [12]}, ""),
        ({"reference_id": True}, ""),
        ({"reference_id": 10**5000}, ""),
        ({"reference_id": "a b"}, ""),
        ({"reference_id": {}}, ""),
    ],
)
def test_the_vendors_reference_is_read(more: dict[str, object], reference: str) -> None:
    assert create("passport", 500, "verification_failed", **more).reference == reference


def test_numbers_that_json_cannot_write_become_null() -> None:
    assert parse(b'{"a": NaN, "b": 1e999, "c": -Infinity, "d": 1.5}') == {
        "a": None,
        "b": None,
        "c": None,
        "d": 1.5,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = ("code", "message", "error", "reference_id", "verification_id", "status", "url")
replies = json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, json_values))


@given(
    kind=st.sampled_from(KINDS),
    role=st.sampled_from(Role),
    status=st.integers(100, 999) | st.sampled_from([200, 202, 400, 404, 409, 429, 502]),
    body=replies,
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset"]), st.text()),
)
def test_any_reply_is_classified(
    kind: str, role: Role, status: int, body: object, headers: dict[str, str]
) -> None:
    if role is not Role.CREATE:
        kind = "digilocker"

    answer = judge(kind, role, status, body, headers)

    assert answer.http == status
    assert answer.outcome is not Outcome.NOT_SENT
    if answer.outcome is Outcome.OK:
        json.dumps(answer.body, ensure_ascii=False).encode()
    else:
        assert answer.code


@given(st.binary())
def test_any_body_is_parsed_without_an_error(body: bytes) -> None:
    parse(body)
