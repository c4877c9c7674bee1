"""UPI and penny drops: the rules of the consent, and the numbers that a reply keeps."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from config.aadhaar import mask
from satyapan.errors import Fault, InvalidRequest
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Role
from worker.rules.answer import Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

DROPS: Final = [Registry()[name] for name in ("upi_penny_drop", "mobile_penny_drop")]
LIKE_AADHAAR: Final = "234123412346"
"""Twelve digits with the check digit of an Aadhaar number, as one account or payment in ten."""


def faults(kind: Kind, consent: Mapping[str, object]) -> list[Fault]:
    """Return the faults of the example with another consent."""
    try:
        kind.check({**kind.example, "user_consent": consent})
    except InvalidRequest as refused:
        return list(refused.faults)
    return []


@pytest.mark.parametrize("kind", DROPS, ids=lambda kind: str(kind.name))
@pytest.mark.parametrize(
    "change",
    [
        {"obtained": False},
        {"type": "IMPLICIT"},
        {"timestamp": "2025-10-27T09:24:36.123456+00:00"},
        {"timestamp": "2025-10-27 09:24:36"},
        {"purpose": "x" * 20},
        {"purpose": "x" * 100},
    ],
)
def test_a_consent_by_the_published_rules_is_accepted(
    kind: Kind, change: Mapping[str, object]
) -> None:
    assert faults(kind, {**kind.example["user_consent"], **change}) == []


@pytest.mark.parametrize("kind", DROPS, ids=lambda kind: str(kind.name))
@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"obtained": None}, "obtained", "obtained_missing"),
        ({"obtained": "yes"}, "obtained", "obtained_value_invalid"),
        ({"type": "explicit"}, "type", "type_value_invalid"),
        ({"timestamp": ""}, "timestamp", "timestamp_missing"),
        ({"timestamp": "yesterday"}, "timestamp", "timestamp_value_invalid"),
        ({"timestamp": 1761557076}, "timestamp", "timestamp_value_invalid"),
        ({"purpose": "x" * 19}, "purpose", "purpose_length_short"),
        ({"purpose": "x" * 101}, "purpose", "purpose_length_exceeded"),
    ],
)
def test_another_consent_is_refused_at_submit(
    kind: Kind, change: Mapping[str, object], field: str, code: str
) -> None:
    (fault,) = faults(kind, {**kind.example["user_consent"], **change})

    assert (fault.field, fault.code) == (f"user_consent.{field}", code)


def kept(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a reply to a kind's create call."""
    asked = Asked(kind.operation("cashfree"), Role.CREATE, "v-1", {})
    answer = classify(asked, Raw(200, {}, b""), {"verification_id": "v-1", **body}, 0)
    assert answer.outcome is Outcome.OK
    return dict(answer.body or {})


@pytest.mark.parametrize("kind", DROPS, ids=lambda kind: str(kind.name))
def test_numbers_of_accounts_and_payments_are_kept_and_no_others(kind: Kind) -> None:
    paid = {"status": "VALID", "bank_account": LIKE_AADHAAR, "utr": LIKE_AADHAAR}
    details = {"micr": 560002003, "address": LIKE_AADHAAR}

    body = kept(kind, {**paid, "name_at_bank": LIKE_AADHAAR, "ifsc_details": details})

    assert body.items() >= paid.items()
    assert body["ifsc_details"] == {"micr": 560002003, "address": mask(LIKE_AADHAAR)}
    assert body["name_at_bank"] == mask(LIKE_AADHAAR) != LIKE_AADHAAR


def test_the_numbers_of_a_reverse_penny_drop_are_kept_and_no_others() -> None:
    operation = Registry()["reverse_penny_drop"].operation("cashfree")
    ours = {"verification_id": "v-1", "status": "SUCCESS", "upi": f"{LIKE_AADHAAR}@upi"}
    numbers = dict.fromkeys(("ref_id", "bank_account", "utr"), LIKE_AADHAAR)

    answer = classify(
        Asked(operation, Role.STATUS, "v-1", {}),
        Raw(200, {}, b""),
        {**ours, **numbers, "name_at_bank": LIKE_AADHAAR},
        now=0,
    )

    assert answer.body == {**ours, **numbers, "name_at_bank": mask(LIKE_AADHAAR)}


def test_an_address_that_was_found_by_a_mobile_number_is_kept() -> None:
    found = {"mobile_number": LIKE_AADHAAR, "vpa": f"{LIKE_AADHAAR}@upi"}

    body = kept(Registry()["upi_mobile"], {"status": "SUCCESS", "account_status": "VALID", **found})

    assert body.items() >= found.items()
