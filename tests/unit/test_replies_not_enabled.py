"""Answers of a product that the vendor has not enabled for the account."""

import pytest

from satyapan.kinds import PLACES, Registry
from satyapan.kinds.model import Role
from shared.scrub import parse
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw


def judge(kind: str, role: Role, status: int, body: object) -> Answer:
    asked = Asked(Registry()[kind].operation("cashfree"), role, "v-1", {})
    return classify(asked, Raw(status, {}, b""), body, now=1_700_000_000.0)


def create(kind: str, status: int, code: str, message: object) -> Answer:
    return judge(kind, Role.CREATE, status, {"code": code, "message": message})


@pytest.mark.parametrize("kind", PLACES)
def test_a_404_without_the_vendors_code_means_that_the_product_is_not_enabled(kind: str) -> None:
    answer = judge(kind, Role.CREATE, 404, parse(b""))

    assert (answer.outcome, answer.code) == (Outcome.NOT_ENABLED, "not_enabled")


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("service not enabled for this account.", Outcome.NOT_ENABLED),
        ("Service is not enabled for this account", Outcome.NOT_ENABLED),
        ("Invalid Document Type Submitted", Outcome.REFUSED),
        ({"service": "not enabled"}, Outcome.REFUSED),
        (None, Outcome.REFUSED),
    ],
)
def test_an_invalid_request_may_say_that_the_product_is_not_enabled(
    message: object, outcome: Outcome
) -> None:
    answer = create("digilocker", 400, "invalid_request", message=message)

    off = outcome is Outcome.NOT_ENABLED
    assert (answer.outcome, answer.code) == (outcome, "not_enabled" if off else "invalid_request")
    assert answer.refused_field == ("" if off else "document_requested")


def test_a_message_says_nothing_beside_another_code() -> None:
    answer = create("passport", 400, "dob_value_invalid", message="service not enabled")

    assert answer.outcome is Outcome.REFUSED
