"""Bank accounts by both operations: what recovers from a lost answer, and what is paid for."""

import json
from typing import Any

import pytest

from satyapan import State, Verification
from shared.inbox.stored_webhook import WebhookState
from tests.support.worker_harness import Harness

INVALID = {"bank_account": "7766666585146", "ifsc": "YESB0000001"}
FAILED = {"bank_account": "000100289877623", "ifsc": "SBIN0008752"}
REJECTED = {"bank_account": "50101329442375", "ifsc": "HDFC0000001"}
REPLY_LOST = {"cut": "before_status"}


def fault(harness: Harness, route: str, **how: Any) -> None:
    harness.vendor.post("faults", route=route, **how)


def ended(harness: Harness, row_id: str) -> Verification:
    """Run a verification until the vendor has accepted it; its answer is there 2 s later."""
    harness.run_once(row_id)
    harness.vendor.post("clock", advance_s=2)
    return harness.settle(row_id, hurried=True)


def webhook(harness: Harness, event: str, user_id: str) -> WebhookState:
    """Store a webhook, and work on it."""
    data = {"reference_id": 1, "user_id": user_id, "account_status": "VALID"}
    body = json.dumps({"event_type": event, "data": data}).encode()
    inbox = harness.parts.ingest._inbox
    inbox.store(f"w-{user_id}", "cashfree", event, body, user_id)
    harness.parts.ingest.take(f"w-{user_id}")
    kept = inbox.read(f"w-{user_id}")
    assert kept is not None
    return kept.state


@pytest.mark.parametrize(
    ("request_", "state", "status"),
    [
        ({}, State.DONE, "VALID/ACCOUNT_IS_VALID"),
        (INVALID, State.DONE, "INVALID/INVALID_ACCOUNT_FAIL"),
        (FAILED, State.FAILED, "FAILED/FAILED_AT_BANK"),
        (REJECTED, State.FAILED, "REJECTED/INSUFFICIENT_BALANCE"),
    ],
    ids=str,
)
def test_the_usual_operation_waits_for_the_answer_of_a_read(
    harness: Harness, request_: dict[str, str], state: State, status: str
) -> None:
    found = ended(harness, harness.submit("bank_account", **request_))

    assert (found.state, found.status, found.attempts) == (state, status, 1)
    assert found.reference == str((found.result or {})["reference_id"])
    assert harness.changes() == [state.lower()]
    assert len(harness.vendor.charges("bank_account")) == 1


def test_a_payment_number_of_twelve_digits_is_not_masked(harness: Harness) -> None:
    usual = ended(harness, harness.submit("bank_account", "a"))
    sync = harness.settle(harness.submit("bank_account", "b", operation="sync"))

    assert [(each.result or {})["utr"] for each in (usual, sync)] == ["404223241811"] * 2


@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_answer_of_the_usual_operation_is_recovered_and_charged_once(
    harness: Harness, executed: bool
) -> None:
    fault(harness, "bank_account_async", **REPLY_LOST, executed=executed)
    row_id = harness.submit("bank_account")
    while harness.run_once(row_id).state is State.UNKNOWN:
        harness.hurry(row_id)

    found = ended(harness, row_id)

    assert (found.state, found.generation) == (State.DONE, 1)
    assert found.attempts == (1 if executed else 2)
    assert len(harness.vendor.charges("bank_account")) == 1


def test_a_lost_answer_of_sync_is_parked_and_never_sent_again(harness: Harness) -> None:
    fault(harness, "bank_account_sync", **REPLY_LOST)

    found = harness.settle(harness.submit("bank_account", operation="sync"), hurried=True)

    assert found.state is State.PARKED
    assert found.reason.startswith("unknown_outcome/")
    assert len(harness.vendor.charges("bank_account")) == 1


@pytest.mark.parametrize(
    "error", [{"status": 422, "code": "connection_timeout"}, {"status": 500}], ids=str
)
def test_an_error_of_sync_that_names_a_reference_is_read_by_it(
    harness: Harness, error: dict[str, Any]
) -> None:
    fault(harness, "bank_account_sync", **error, executed=True)

    found = harness.settle(harness.submit("bank_account", operation="sync"), hurried=True)

    assert (found.state, found.status, found.attempts) == (State.DONE, "VALID/ACCOUNT_IS_VALID", 1)
    assert [call["route"] for call in harness.vendor.get("calls")["calls"]] == [
        "bank_account_sync",
        "bank_account",
    ]
    assert len(harness.vendor.charges("bank_account")) == 1


def test_a_422_of_sync_is_an_answer_without_a_read(harness: Harness) -> None:
    found = harness.settle(harness.submit("bank_account", operation="sync", **FAILED))

    assert (found.state, found.status) == (State.FAILED, "FAILED/FAILED_AT_BANK")
    assert len(harness.vendor.get("calls")["calls"]) == 1


@pytest.mark.parametrize("event", ["SUCCESS", "REJECTED", "FAILED"])
def test_a_webhook_about_a_derived_id_brings_the_read_forward(harness: Harness, event: str) -> None:
    row_id = harness.submit("bank_account")
    harness.run_once(row_id)
    harness.vendor.post("clock", advance_s=2)
    operation = harness.parts.kinds["bank_account"].operation("cashfree")

    state = webhook(harness, f"BANK_ACCOUNT_VERIFICATION_{event}", operation.vendor_id(row_id, 1))

    assert state is WebhookState.HANDLED
    assert harness.read(row_id).status == "VALID/ACCOUNT_IS_VALID"


def test_a_webhook_is_not_about_a_row_of_the_other_operation(harness: Harness) -> None:
    kind, row_id = "bank_account", "sync_1"
    example = dict(harness.example(kind))
    harness.verifications.submit(kind, example, verification_id=row_id, operation="sync")
    before = harness.row(row_id)

    state = webhook(harness, "BANK_ACCOUNT_VERIFICATION_SUCCESS", row_id)

    assert state is WebhookState.UNMATCHED
    assert harness.row(row_id) == before
