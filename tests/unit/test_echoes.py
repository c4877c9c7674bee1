"""Replies that name another id, reference, template or document are not accepted."""

from typing import Any

import pytest

from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Role
from tests.unit.test_replies import judge, passport
from worker.rules.answer import Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

LINK = {"static_link": "https://x/y", "template_name": "t", "status": "ACTIVE"}
OURS = {"verification_id": "v-1", "reference_id": 7, "status": "SUCCESS"}
FOREIGN = (Outcome.UNKNOWN, "foreign_id", None)


def parts(answer: Any) -> tuple[Outcome, str, object]:
    return answer.outcome, answer.code, answer.body


@pytest.mark.parametrize(
    ("kind", "role", "body"),
    [
        ("digilocker", Role.STATUS, passport(reference_id=8)),
        ("digilocker", Role.STATUS, passport(reference_id="8")),
        ("digilocker", Role.DOCUMENT, {**OURS, "reference_id": 8, "pan": "ABCPV1234D"}),
        ("digilocker", Role.DOCUMENT, {**OURS, "uid": "xxxxxxxx5647"}),
        ("digilocker", Role.DOCUMENT, {**OURS, "dl_number": "KA5"}),
        ("static_kyc_link", Role.CREATE, {**LINK, "template_name": "T"}),
        ("static_kyc_link", Role.CREATE, {**LINK, "template_name": 7}),
    ],
)
def test_a_200_about_another_reference_document_or_template_is_foreign(
    kind: str, role: Role, body: dict[str, Any]
) -> None:
    answer = judge(kind, role, 200, body, reference_id="7", template_name="t")

    assert parts(answer) == FOREIGN


@pytest.mark.parametrize(
    ("kind", "role", "body", "known"),
    [
        ("digilocker", Role.STATUS, passport(reference_id="7"), {"reference_id": "7"}),
        ("digilocker", Role.STATUS, passport(reference_id=7), {"reference_id": "7"}),
        ("digilocker", Role.STATUS, passport(reference_id=None), {"reference_id": "7"}),
        ("digilocker", Role.STATUS, passport(), {"reference_id": ""}),
        # A create assigns a new reference; an earlier one belongs to a failed attempt.
        ("passport", Role.CREATE, passport(), {"reference_id": "6"}),
        ("digilocker", Role.CREATE, passport(url="https://x"), {"reference_id": "6"}),
        ("digilocker", Role.DOCUMENT, {"pan": "ABCPV1234D"}, {"reference_id": "7"}),
        ("digilocker", Role.DOCUMENT, {**OURS, "pan": "A", "uid": "x"}, {"reference_id": "7"}),
        ("digilocker", Role.DOCUMENT, {**OURS, "status": "AADHAAR_NOT_LINKED", "uid": None}, {}),
        ("static_kyc_link", Role.CREATE, LINK, {"template_name": "t"}),
    ],
)
def test_a_value_that_is_missing_or_not_known_to_us_is_accepted(
    kind: str, role: Role, body: dict[str, Any], known: dict[str, Any]
) -> None:
    assert judge(kind, role, 200, body, **known).outcome is Outcome.OK


def test_a_document_type_without_a_field_of_its_own_is_accepted() -> None:
    body = {**OURS, "pan": "ABCPV1234D"}

    assert judge("digilocker", Role.DOCUMENT, 200, body, item="VOTER_ID").outcome is Outcome.OK


def test_a_template_that_looks_like_an_aadhaar_number_is_still_ours() -> None:
    name = "234123412346"
    body = {**LINK, "template_name": name}

    answer = judge("static_kyc_link", Role.CREATE, 200, body, template_name=name)

    assert answer.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("kind", "role", "asked", "body"),
    [
        ("upi_advance", Role.CREATE, {"vpa": "A.Doe@Upi"}, {"vpa": "a.doe@upi", "status": "VALID"}),
        ("pan", Role.CREATE, {"pan": "abcpv1234d"}, {"pan": "ABCPV1234D", "valid": True}),
        ("pan", Role.STATUS, {"pan": "abcpv1234d"}, {"pan": "ABCPV1234D", "valid": True}),
        ("gstin", Role.CREATE, {"GSTIN": "29aaicp2912r1zr"}, {"GSTIN": "29AAICP2912R1ZR"}),
    ],
)
def test_a_paid_answer_that_repeats_a_number_in_other_letters_is_ours(
    kind: str, role: Role, asked: dict[str, Any], body: dict[str, Any]
) -> None:
    (field,) = asked

    assert judge(kind, role, 200, body, **asked).outcome is Outcome.OK
    assert parts(judge(kind, role, 200, {**body, field: "other"}, **asked)) == FOREIGN


@pytest.mark.parametrize(
    ("status", "code"), [(400, "dob_missing"), (409, "verification_id_already_exists"), (429, "x")]
)
def test_an_error_that_names_another_id_is_foreign(status: int, code: str) -> None:
    ours = judge("passport", Role.CREATE, status, {"code": code, "verification_id": "v-1"})
    other = judge("passport", Role.CREATE, status, {"code": code, "verification_id": "v-2"})

    assert ours.outcome is not Outcome.UNKNOWN
    assert parts(other) == FOREIGN


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, passport(), Outcome.OK),
        (400, {"code": "dob_missing"}, Outcome.UNKNOWN),
        (409, {"code": "verification_id_already_exists"}, Outcome.UNKNOWN),
        (429, {"code": "x"}, Outcome.UNKNOWN),
    ],
)
def test_a_reply_with_trailing_bytes_is_accepted_only_if_it_repeats_our_id(
    status: int, body: object, outcome: Outcome
) -> None:
    operation = Registry()["passport"].operation("cashfree")
    asked = Asked(operation, Role.CREATE, "v-1", {})

    answer = classify(asked, Raw(status, {}, b"", trailed=True), body, 0)

    assert answer.outcome is outcome
    assert answer.code == ("" if outcome is Outcome.OK else "trailing_bytes")


@pytest.mark.parametrize("kind", tuple(Registry()), ids=lambda kind: str(kind.name))
def test_an_echoed_field_is_one_that_we_know(kind: Kind) -> None:
    known = {*kind.request().fields, "reference_id"}

    for operation in kind.operations.values():
        for route in filter(None, (operation.create, operation.status, operation.document)):
            assert set(route.echoes) <= known
