"""Who asks for a look: the first ask comes soon, repeated ones are thinned, and none is lost."""

import json
from typing import Any

import pytest

from tests.support.workbench import Workbench
from worker.ledger.work_ledger import LEAST_LOOK_MS, MOST_LOOK_MS, WorkLedger

AHEAD_MS = 50_000


@pytest.fixture
def ledger(bench: Workbench) -> WorkLedger:
    return bench.parts.ledger


@pytest.fixture
def row_id(bench: Workbench) -> str:
    """A journey that waits for its person, read a moment ago, the next poll far away."""
    found = bench.submit("digilocker")
    bench.once(found)
    looked(bench, found)
    return found


def now_ms(bench: Workbench) -> int:
    seconds, micros = bench.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


def looked(bench: Workbench, row_id: str, ago_ms: int = 0, **fields: Any) -> int:
    """Note a read so long ago; by default one to come, so that a slow test changes nothing."""
    at = now_ms(bench) - (ago_ms or -AHEAD_MS)
    known = {"looked": at, "due": at + 10 * MOST_LOOK_MS, "last_ask": now_ms(bench), **fields}
    bench.redis.hset(bench.parts.ledger.keys.row(row_id), mapping=known)
    bench.redis.hdel(bench.parts.ledger.keys.row(row_id), "ask")
    return at


def test_the_first_ask_comes_soon_and_is_known_as_such(bench: Workbench, row_id: str) -> None:
    at = looked(bench, row_id)

    assert bench.parts.ledger.hint(row_id, asked=True) == at + LEAST_LOOK_MS

    row = bench.row(row_id)
    assert (row.ask, row.asks) == ("first", 0)
    assert at - AHEAD_MS <= row.asked <= now_ms(bench)


def test_repeated_asks_are_thinned(bench: Workbench, ledger: WorkLedger, row_id: str) -> None:
    waits = []
    for asks in range(1, 9):
        at = looked(bench, row_id, asks=asks)
        waits.append((ledger.hint(row_id, asked=True) - at) // LEAST_LOOK_MS)
        assert bench.row(row_id).ask == "again"

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_an_ask_that_was_not_served_yet_stays_the_first(
    bench: Workbench, ledger: WorkLedger, row_id: str
) -> None:
    ledger.hint(row_id, asked=True)
    first = bench.row(row_id)
    ledger.hint(row_id, asked=True)

    again = bench.row(row_id)
    assert (again.ask, again.due, again.asked) == ("first", first.due, first.asked)


def test_asks_begin_again_when_a_webhook_says_something_new(
    bench: Workbench, ledger: WorkLedger, row_id: str
) -> None:
    at = looked(bench, row_id, asks=6)
    ledger.hint(row_id, asked=True)

    due = ledger.hint(row_id, "AUTHENTICATED", asked=True)

    assert (due, bench.row(row_id).ask) == (at + LEAST_LOOK_MS, "first")
    at = looked(bench, row_id, asks=6)
    assert ledger.hint(row_id, "AUTHENTICATED", asked=True) == at + MOST_LOOK_MS


def test_asks_begin_again_after_a_quiet_time(
    bench: Workbench, ledger: WorkLedger, row_id: str
) -> None:
    last = now_ms(bench) - 2 * MOST_LOOK_MS - 5_000
    at = looked(bench, row_id, ago_ms=1_000, asks=6, asked=1, last_ask=last)

    ledger.hint(row_id, asked=True)

    assert (bench.row(row_id).ask, bench.row(row_id).asks) == ("first", 0)
    assert bench.row(row_id).asked > at


def test_a_look_that_nobody_waits_for_is_no_ask(
    bench: Workbench, ledger: WorkLedger, row_id: str
) -> None:
    at = looked(bench, row_id)

    assert ledger.hint(row_id, "EXPIRED", asked=False) == at + LEAST_LOOK_MS

    row = bench.row(row_id)
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
    bench: Workbench, row_id: str, event: str, ask: str
) -> None:
    looked(bench, row_id)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    bench.parts.ingest._inbox.store("letter", "cashfree", event, body)

    bench.parts.take("letter")

    assert bench.row(row_id).ask == ask
