"""Hints that come while a worker holds the row: the current read answers them, or another does.

A run claims the row, makes it SENT, reads the vendor's status, and commits what that says. A hint
before SENT is older than the read, so the read answers it. A hint after SENT may be about news that
the read doesn't show, so it causes another read, at the time that the thinning allows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from satyapan.failpoints import Failpoint
from satyapan.records import Row
from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import LEAST_CHECK_MS

POLL_MS = 600_000


@pytest.fixture
def harness(redis_url: str, sandbox: Any) -> Harness:
    """Polls are ten minutes apart, so a status check that is due earlier was requested."""
    seconds = str(POLL_MS // 1000)
    polls = {f"SATYAPAN_WORKER_POLL_{name}_S": seconds for name in ("MIN", "MAX")}
    return Harness(redis_url, sandbox.root, **polls)


@pytest.fixture
def row_id(harness: Harness) -> str:
    """A journey whose poll is due."""
    found = harness.submit("digilocker")
    harness.run_once(found)
    write(harness, found, due=1)
    return found


def write(harness: Harness, row_id: str, **fields: Any) -> None:
    redis, key = harness.redis, harness.parts.ledger.keys.row(row_id)
    redis.hset(key, mapping=fields)


def now_ms(harness: Harness) -> int:
    seconds, micros = harness.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.fixture
def run(
    harness: Harness, row_id: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Row, Row]]:
    """Run the row once with hints at some failpoints; return it as of the read and as of the end.

    A failpoint's value is what a webhook claims, or "" for a person who returns.
    """

    def run(**hints: str) -> tuple[Row, Row]:
        during = list[Row]()

        def failpoint(point: str) -> None:
            if point in hints:
                harness.parts.ledger.hint(row_id, hints[point], asked=True)
            if point == Failpoint.SENT:
                during.append(harness.row(row_id))

        monkeypatch.setattr("worker.engine.run.failpoint", failpoint)
        harness.run_once(row_id)
        return during[0], harness.row(row_id)

    return run


def woken_first_at(harness: Harness, row_id: str) -> float | None:
    """Return the time at which the row is woken with the holders of slots."""
    ledger = harness.parts.ledger
    found: float | None = harness.redis.zscore(ledger.keys.slot_due, row_id)
    return found


def is_thinned(harness: Harness, due: int, checked: int, seconds: int) -> bool:
    """Return True if a check is due this long after the last, or by now if that has passed."""
    soonest = checked + seconds * LEAST_CHECK_MS
    return soonest <= due <= max(soonest, now_ms(harness))


def set_requested(harness: Harness, row_id: str, ask: str, asks: int) -> None:
    """Set the due read to be a requested one, after `asks` other requests."""
    write(harness, row_id, ask=ask, asks=asks, asked=1, last_ask=now_ms(harness), due=1)


@pytest.mark.parametrize("ask", ["", "first", "again"])
def test_a_read_answers_a_request_made_between_claim_and_sent(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]], ask: str
) -> None:
    """One read answers both the request that made it due, if there was one, and the new one."""
    if ask:
        set_requested(harness, row_id, ask, 3)

    during, after = run(**{Failpoint.CLAIMED: ""})

    assert (during.ask, during.asking, during.asks) == ("", ask or "first", 4 if ask else 1)
    assert (after.ask, after.asking, after.asks) == ("", "", 4 if ask else 1)
    assert after.due - now_ms(harness) > POLL_MS // 2, "the next status check is a poll"
    assert woken_first_at(harness, row_id) is None


@pytest.mark.parametrize("ask", ["", "again"])
def test_news_between_claim_and_sent_restart_the_count_of_requests(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]], ask: str
) -> None:
    set_requested(harness, row_id, ask or "again", 6)
    if not ask:
        harness.redis.hdel(harness.parts.ledger.keys.row(row_id), "ask")

    during, after = run(**{Failpoint.CLAIMED: "AUTHENTICATED"})

    assert (during.asking, during.asks, during.evidence) == ("first", 1, "AUTHENTICATED")
    assert (after.ask, after.asks) == ("", 1)
    again = harness.parts.ledger.hint(row_id, asked=True)
    assert is_thinned(harness, again, during.checked, 2)


def test_a_read_uses_what_a_webhook_claimed_between_claim_and_sent(
    row_id: str, run: Callable[..., tuple[Row, Row]]
) -> None:
    """The vendor's reads never say FAILED: the read says "pending", the webhook decides."""
    _, after = run(**{Failpoint.CLAIMED: "FAILED"})

    assert (after.state, after.reason) == ("FAILED", "webhook/failed")


@pytest.mark.parametrize(("asks", "wait"), [(0, 2), (2, 8), (5, 60), (9, 60)])
def test_a_request_during_the_read_is_kept_and_thinned_out(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]], asks: int, wait: int
) -> None:
    set_requested(harness, row_id, "again", asks)

    during, after = run(**{Failpoint.ANSWERED: ""})

    assert (during.ask, during.asks) == ("", asks + 1)
    assert (after.ask, after.asks) == ("again", asks + 1)
    assert is_thinned(harness, after.due, during.checked, wait)
    assert woken_first_at(harness, row_id) == after.due


def test_a_request_during_a_poll_counts_as_the_first(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]]
) -> None:
    during, after = run(**{Failpoint.ANSWERED: ""})

    assert (after.ask, after.asks) == ("first", 0)
    assert is_thinned(harness, after.due, during.checked, 1)


def test_only_the_later_of_two_requests_causes_another_read(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]]
) -> None:
    during, after = run(**{Failpoint.CLAIMED: "", Failpoint.ANSWERED: ""})

    assert (during.ask, during.asks) == ("", 1)
    assert (after.ask, after.asks) == ("again", 1)
    assert is_thinned(harness, after.due, during.checked, 2)


def test_the_soonest_of_several_requests_during_a_read_counts(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]]
) -> None:
    """A person reloads the page, a webhook brings news, the person reloads once more."""
    set_requested(harness, row_id, "again", 5)

    def reloaded(point: str) -> None:
        for claimed in ("", "AUTHENTICATED", "") if point == Failpoint.ANSWERED else ():
            harness.parts.ledger.hint(row_id, claimed, asked=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.engine.run.failpoint", reloaded)
        harness.run_once(row_id)

    after = harness.row(row_id)
    assert after.ask == "first"
    assert is_thinned(harness, after.due, after.checked, 1)


@pytest.mark.parametrize("point", [Failpoint.CLAIMED, Failpoint.ANSWERED])
@pytest.mark.parametrize("ask", ["", "first", "again"])
def test_a_read_without_an_answer_keeps_the_request(
    harness: Harness, row_id: str, run: Callable[..., tuple[Row, Row]], point: str, ask: str
) -> None:
    if ask:
        set_requested(harness, row_id, ask, 3)
    harness.vendor.post("faults", route="digilocker_status", status=502)

    _, after = run(**{point: "AUTHENTICATED"})

    assert (after.ask, after.asking) == ("first", "")
    assert woken_first_at(harness, row_id) == after.due


def test_a_request_is_kept_for_the_next_claim_if_the_read_was_not_sent(
    harness: Harness, row_id: str
) -> None:
    ledger = harness.parts.ledger
    write(harness, row_id, checked=now_ms(harness))
    claim = ledger.claim(row_id)
    assert claim is not None

    ledger.hint(row_id, asked=True)
    later = claim.now + POLL_MS
    ledger.committing(claim.row, replace(claim.row, due=later), (), claim.now, keep=False).now()

    row = harness.row(row_id)
    assert row.ask == "first"
    assert is_thinned(harness, row.due, row.checked, 1)
    redis, keys = harness.redis, ledger.keys
    assert redis.zscore(keys.due, row_id) == row.due
    assert not redis.hexists(keys.row(row_id), "hinted")


def test_a_hint_is_kept_for_a_holder_whose_lease_has_ended(harness: Harness, row_id: str) -> None:
    """This happens after an outage: the holder repeats its commit, and nobody may take over yet."""
    ledger = harness.parts.ledger
    claim = ledger.claim(row_id)
    assert claim is not None
    write(harness, row_id, lease=1)

    assert ledger.hint(row_id, "AUTHENTICATED", asked=True) == 0
    later = replace(claim.row, due=claim.now + POLL_MS)
    ledger.committing(claim.row, later, (), claim.now, keep=False).now()

    row = harness.row(row_id)
    assert row.due <= claim.now + 10_000
    assert (row.ask, row.evidence) == ("first", "AUTHENTICATED")
