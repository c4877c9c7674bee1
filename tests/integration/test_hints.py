"""Who asks for a look: the first ask comes soon, repeated ones are thinned, and none is lost."""

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
    """A journey that waits for its person, read a moment ago, the next poll far away."""
    found = harness.submit("digilocker")
    harness.run_once(found)
    looked(harness, found)
    return found


def now_ms(harness: Harness) -> int:
    seconds, micros = harness.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


def looked(harness: Harness, row_id: str, ago_ms: int = 0, **fields: Any) -> int:
    """Note a read so long ago; by default one to come, so that a slow test changes nothing."""
    at = now_ms(harness) - (ago_ms or -AHEAD_MS)
    known = {"looked": at, "due": at + 10 * MOST_CHECK_MS, "last_ask": now_ms(harness), **fields}
    harness.redis.hset(harness.parts.ledger.keys.row(row_id), mapping=known)
    harness.redis.hdel(harness.parts.ledger.keys.row(row_id), "ask")
    return at


def test_the_first_ask_comes_soon_and_is_known_as_such(harness: Harness, row_id: str) -> None:
    at = looked(harness, row_id)

    assert harness.parts.ledger.hint(row_id, asked=True) == at + LEAST_CHECK_MS

    row = harness.row(row_id)
    assert (row.ask, row.asks) == ("first", 0)
    assert at - AHEAD_MS <= row.asked <= now_ms(harness)


def test_repeated_asks_are_thinned(harness: Harness, ledger: WorkLedger, row_id: str) -> None:
    waits = []
    for asks in range(1, 9):
        at = looked(harness, row_id, asks=asks)
        waits.append((ledger.hint(row_id, asked=True) - at) // LEAST_CHECK_MS)
        assert harness.row(row_id).ask == "again"

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_an_ask_that_was_not_served_yet_stays_the_first(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    ledger.hint(row_id, asked=True)
    first = harness.row(row_id)
    ledger.hint(row_id, asked=True)

    again = harness.row(row_id)
    assert (again.ask, again.due, again.asked) == ("first", first.due, first.asked)


def test_asks_begin_again_when_a_webhook_says_something_new(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    at = looked(harness, row_id, asks=6)
    ledger.hint(row_id, asked=True)

    due = ledger.hint(row_id, "AUTHENTICATED", asked=True)

    assert (due, harness.row(row_id).ask) == (at + LEAST_CHECK_MS, "first")
    at = looked(harness, row_id, asks=6)
    assert ledger.hint(row_id, "AUTHENTICATED", asked=True) == at + MOST_CHECK_MS


def test_asks_begin_again_after_a_quiet_time(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    last = now_ms(harness) - 2 * MOST_CHECK_MS - 5_000
    at = looked(harness, row_id, ago_ms=1_000, asks=6, asked=1, last_ask=last)

    ledger.hint(row_id, asked=True)

    assert (harness.row(row_id).ask, harness.row(row_id).asks) == ("first", 0)
    assert harness.row(row_id).asked > at


def test_a_look_that_nobody_waits_for_is_no_ask(
    harness: Harness, ledger: WorkLedger, row_id: str
) -> None:
    at = looked(harness, row_id)

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
def test_webhooks_of_people_who_acted_are_asks(
    harness: Harness, row_id: str, event: str, ask: str
) -> None:
    looked(harness, row_id)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    harness.parts.ingest._inbox.store("webhook", "cashfree", event, body)

    harness.parts.ingest.take("webhook")

    assert harness.row(row_id).ask == ask
