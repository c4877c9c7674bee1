"""Requested status checks: the first comes soon, repeats are thinned out, none is lost."""

import json
from typing import Any

import pytest

from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import LEAST_CHECK_MS, MOST_CHECK_MS, WorkLedger

AHEAD_MS = 50_000


@pytest.fixture
def ledger(harness: Harness) -> WorkLedger:
    return harness.parts.ledger


@pytest.fixture
def row_id(harness: Harness) -> str:
    """A journey that waits for its person; it was just read, and its next poll is far away."""
    found = harness.submit("digilocker")
    harness.run_once(found)
    set_last_read(harness, found)
    return found


def now_ms(harness: Harness) -> int:
    seconds, micros = harness.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


def set_last_read(harness: Harness, row_id: str, ago_ms: int = 0, **fields: Any) -> int:
    """Set the time of the last status read, and return it.

    By default it is in the future, so that a slow test changes nothing.
    """
    at = now_ms(harness) - (ago_ms or -AHEAD_MS)
    known = {"checked": at, "due": at + 10 * MOST_CHECK_MS, "last_ask": now_ms(harness), **fields}
    harness.redis.hset(harness.parts.ledger.keys.row(row_id), mapping=known)
    harness.redis.hdel(harness.parts.ledger.keys.row(row_id), "ask")
    return at


def test_the_first_request_is_due_soon_and_marked_as_the_first(
    harness: Harness, row_id: str
) -> None:
    at = set_last_read(harness, row_id)

    assert harness.parts.ledger.hint(row_id, asked=True) == at + LEAST_CHECK_MS

    row = harness.row(row_id)
    assert (row.ask, row.asks) == ("first", 0)
    assert at - AHEAD_MS <= row.asked <= now_ms(harness)


def test_repeated_requests_are_thinned_out(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    waits = []
    for asks in range(1, 9):
        at = set_last_read(harness, row_id, asks=asks)
        waits.append((ledger.hint(row_id, asked=True) - at) // LEAST_CHECK_MS)
        assert harness.row(row_id).ask == "again"

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_repeat_before_the_first_request_is_served_changes_nothing(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    ledger.hint(row_id, asked=True)
    first = harness.row(row_id)
    ledger.hint(row_id, asked=True)

    again = harness.row(row_id)
    assert (again.ask, again.due, again.asked) == ("first", first.due, first.asked)


def test_a_webhook_with_news_restarts_the_count_of_requests(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    at = set_last_read(harness, row_id, asks=6)
    ledger.hint(row_id, asked=True)

    due = ledger.hint(row_id, "AUTHENTICATED", asked=True)

    assert (due, harness.row(row_id).ask) == (at + LEAST_CHECK_MS, "first")
    at = set_last_read(harness, row_id, asks=6)
    assert ledger.hint(row_id, "AUTHENTICATED", asked=True) == at + MOST_CHECK_MS


def test_a_quiet_time_restarts_the_count_of_requests(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    last = now_ms(harness) - 2 * MOST_CHECK_MS - 5_000
    at = set_last_read(harness, row_id, ago_ms=1_000, asks=6, asked=1, last_ask=last)

    ledger.hint(row_id, asked=True)

    assert (harness.row(row_id).ask, harness.row(row_id).asks) == ("first", 0)
    assert harness.row(row_id).asked > at


def test_a_status_check_that_nobody_waits_for_is_not_counted_as_requested(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    at = set_last_read(harness, row_id)

    assert ledger.hint(row_id, "EXPIRED", asked=False) == at + LEAST_CHECK_MS

    row = harness.row(row_id)
    assert (row.ask, row.asked, row.evidence) == ("", 0, "EXPIRED")


@pytest.mark.parametrize(
    ("event", "ask"),
    [
        ("DIGILOCKER_VERIFICATION_SUCCESS", "first"),
        ("DIGILOCKER_VERIFICATION_CONSENT_DENIED", "first"),
        ("DIGILOCKER_VERIFICATION_FAILURE", "first"),
        ("DIGILOCKER_VERIFICATION_LINK_EXPIRED", ""),
        ("DIGILOCKER_VERIFICATION_CONSENT_EXPIRED", ""),
    ],
)
def test_webhooks_about_a_persons_action_are_requests(
    harness: Harness, row_id: str, event: str, ask: str
) -> None:
    set_last_read(harness, row_id)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    harness.parts.ingest._inbox.store("webhook", "cashfree", event, body)

    harness.parts.ingest.take("webhook")

    assert harness.row(row_id).ask == ask
