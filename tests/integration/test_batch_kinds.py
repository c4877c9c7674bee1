"""Batches: one call, whose answer is there when each entry has its own."""

import json
from typing import Final

import pytest

from satyapan import State, Verification
from tests.support.worker_harness import Harness

BATCHES: Final = ("pan_batch", "bank_account_batch")


def pass_time(harness: Harness) -> None:
    """Let the vendor finish its batches."""
    harness.vendor.post("clock", advance_s=3)


def calls(harness: Harness, route: str) -> int:
    """Count the calls of a route."""
    return sum(call["route"] == route for call in harness.vendor.get("calls")["calls"])


def run(harness: Harness, row_id: str, times: int) -> Verification:
    """Run a row some times, without its waits."""
    for _ in range(times):
        found = harness.run_once(row_id)
        harness.hurry(row_id)
        harness.parts.admission.limiter.deal()
    return found


@pytest.mark.parametrize("kind", BATCHES)
def test_a_batch_is_pending_until_its_entries_are_answered(harness: Harness, kind: str) -> None:
    row_id = harness.submit(kind)
    early = run(harness, row_id, 3)
    pass_time(harness)

    ended = harness.settle(row_id, hurried=True)

    assert (early.state, early.status) == (State.PENDING, "PROCESSING")
    assert (ended.state, ended.status) == (State.DONE, "PROCESSED")
    assert len((ended.result or {})["entries"]) == 2
    assert harness.row(row_id).reference
    assert len(harness.vendor.charges(kind)) == calls(harness, kind) == 1
    assert harness.changes() == ["done"]


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("fault", [{"cut": "before_status"}, {"status": 500, "executed": True}])
def test_a_lost_answer_is_read_by_our_id_and_paid_once(
    harness: Harness, kind: str, fault: dict[str, object]
) -> None:
    harness.vendor.post("faults", route=kind, **fault)
    row_id = harness.submit(kind)
    run(harness, row_id, 2)
    pass_time(harness)

    ended = harness.settle(row_id, hurried=True)

    assert (ended.state, ended.attempts) == (State.DONE, 1)
    assert len(harness.vendor.charges(kind)) == calls(harness, kind) == 1


def test_a_call_that_the_vendor_never_got_is_repeated_if_it_refuses_repeats(
    harness: Harness,
) -> None:
    harness.vendor.post("faults", route="bank_account_batch", cut="before_status", executed=False)
    row_id = harness.submit("bank_account_batch")
    run(harness, row_id, 4)
    pass_time(harness)

    ended = harness.settle(row_id, hurried=True)

    assert (ended.state, ended.attempts) == (State.DONE, 2)
    assert len(harness.vendor.charges()) == 1


@pytest.mark.parametrize("code", ["bulk_verification_id_not_found", "request_failed"])
def test_a_batch_of_pans_is_never_sent_again_whatever_a_read_says(
    harness: Harness, code: str
) -> None:
    harness.vendor.post("faults", route="pan_batch", cut="before_status", executed=False)
    status = 500 if code == "request_failed" else 404
    harness.vendor.post("faults", route="pan_batch_read", status=status, code=code, times=None)
    row_id = harness.submit("pan_batch")
    waiting = run(harness, row_id, 8)
    harness.redis.hset(harness.parts.ledger.keys.row(row_id), "deadline", 1)

    ended = harness.settle(row_id, hurried=True)

    assert waiting.state is State.UNKNOWN
    assert (ended.state, ended.reason) == (State.PARKED, "unknown_outcome")
    assert calls(harness, "pan_batch") == 1
    assert calls(harness, "pan_batch_read") > 1


def test_an_entry_that_the_bank_failed_to_answer_is_an_answer(harness: Harness) -> None:
    entries = [
        {"bank_account": "388108022658", "ifsc": "ICIC0000009", "name": "Bob Hope"},
        {"bank_account": "000100289877623", "ifsc": "SBIN0008752"},
    ]
    row_id = harness.submit("bank_account_batch", entries=entries)
    run(harness, row_id, 1)
    pass_time(harness)

    ended = harness.settle(row_id, hurried=True)

    found = (ended.result or {})["entries"]
    assert ended.state is State.DONE
    assert [each["account_status"] for each in found] == ["VALID", "FAILED"]
    assert found[0]["bank_account"] == "388108022658"
    assert found[0]["utr"] == "404223241811"


def test_a_full_batch_runs_to_its_end(harness: Harness) -> None:
    entries = [
        {"bank_account": f"9000{number:08}", "ifsc": "YESB0000262", "name": f"P {number}"}
        for number in range(1000)
    ]
    row_id = harness.submit("bank_account_batch", entries=entries)
    run(harness, row_id, 1)
    pass_time(harness)

    ended = harness.settle(row_id, hurried=True)

    found = (ended.result or {})["entries"]
    assert [each["bank_account"] for each in found] == [each["bank_account"] for each in entries]
    assert len(json.dumps(ended.result)) > 200_000
