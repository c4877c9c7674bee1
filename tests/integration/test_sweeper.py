"""The sweeper against a queue that is long, a broker that is away, and faults nobody foresaw."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import create_autospec

import pytest

from satyapan.names import RUN, RUN_SLOT
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.broker.wakeups import Wake
from worker.maintenance.sweeper import ENOUGH, PATIENCE_MS, Queued, Sweep, Sweeper


def doubtful(harness: Harness, count: int) -> None:
    """Write rows that are due and that only a claim can judge."""
    redis, keys = harness.redis, harness.parts.ledger.keys
    for number in range(count):
        redis.hset(keys.row(f"k{number}"), mapping={"state": "UNKNOWN", "due": 1})
        redis.zadd(keys.due, {f"k{number}": 1})


def sweeps(harness: Harness, wake: Wake, queued: Queued = lambda _task: 0, batch: int = 2) -> Sweep:
    ledger, triage = harness.parts.ledger, harness.parts.triage
    redis = harness.redis
    return Sweep(redis, ledger.keys, triage, wake, chunk=1, batch=batch, keep_ms=1, queued=queued)


def test_a_long_queue_gets_no_more_wake_ups(harness: Harness) -> None:
    redis, woken, waiting = harness.redis, list[str](), [0]
    doubtful(harness, 6)

    def wake(_task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        waiting[0] = ENOUGH
        return True

    sweep = sweeps(harness, wake, lambda task: waiting[0] if task == RUN else 0)

    assert sweep.once() >= 1.0
    assert len(woken) == 2
    now = int(redis.time()[0]) * 1000
    later = redis.zrange(harness.parts.ledger.keys.due, 0, -1, withscores=True)
    assert all(score <= now + 1_000 + PATIENCE_MS for _, score in later), "looked at again soon"
    doubtful(harness, 6)
    waiting[0] = ENOUGH - 1
    sweep.once()
    assert len(woken) == 4


class Noted:
    """Notes wake-ups; queues are as long as a test says."""

    def __init__(self, **lengths: int) -> None:
        self.lengths = {RUN: lengths.get("run", 0), RUN_SLOT: lengths.get("slot", 0)}
        self.woken: list[tuple[str, str]] = []

    def wake(self, task: str, some: Sequence[str]) -> bool:
        self.woken += [(task, one) for one in some]
        return True

    def queued(self, task: str) -> int:
        return self.lengths.get(task, 0)


def crowded(harness: Harness, noted: Noted, batch: int = 10) -> Sweep:
    """Let a sweeper find that the queue of runs is long."""
    noted.lengths[RUN] = ENOUGH
    sweep = sweeps(harness, noted.wake, noted.queued, batch)
    doubtful(harness, 1)
    sweep.once()
    noted.woken.clear()
    return sweep


def test_a_long_queue_is_not_looked_at_again_and_again(harness: Harness) -> None:
    """Thousands of rows behind a long queue would be sorted many times a second."""
    noted, redis, due = Noted(), harness.redis, harness.parts.ledger.keys.due
    sweep = crowded(harness, noted)
    doubtful(harness, 300)
    before = int(redis.time()[0]) * 1000

    assert [sweep.once() for _ in range(3)] == [1.0] * 3
    assert noted.woken == []
    back = [score - before for _, score in redis.zrange(due, 0, -1, withscores=True)]
    assert min(back) >= 1_000
    assert sum(after >= PATIENCE_MS // 2 for after in back) >= 150, "spread over some seconds"


def test_what_was_never_sent_does_not_stand_behind_a_long_queue(harness: Harness) -> None:
    noted = Noted()
    sweep = crowded(harness, noted)
    fresh = overdue(harness, "k")

    sweep.once()

    assert noted.woken == [(RUN_SLOT, fresh)]


def overdue(harness: Harness, key: str) -> str:
    """Submit what can go now, and lose its wake-up."""
    fresh = harness.submit("passport", key)
    harness.redis.zadd(harness.parts.ledger.keys.due, {fresh: 1})
    return fresh


def test_what_was_never_sent_does_not_hold_up_those_whose_slot_has_come(harness: Harness) -> None:
    noted = Noted(slot=1)
    sweep = sweeps(harness, noted.wake, noted.queued, 10)
    fresh = overdue(harness, "k")

    sweep.once()

    assert noted.woken == [(RUN, fresh)]
    sweep = crowded(harness, noted)
    other = overdue(harness, "other")
    sweep.once()
    assert noted.woken == [], "it waits while both queues are in use"
    back = harness.redis.zscore(harness.parts.ledger.keys.due, other)
    assert back - harness.row(other).created < 60_000


def test_what_was_never_sent_makes_no_queue_longer_than_enough(harness: Harness) -> None:
    noted = Noted(slot=1, run=ENOUGH)
    fresh = {overdue(harness, f"k{n}") for n in range(3)}

    sweeps(harness, noted.wake, noted.queued, batch=1).once()

    (woken,) = noted.woken
    assert woken[0] == RUN
    assert woken[1] in fresh


def test_those_whose_slot_has_come_are_woken_before_anything_is_sorted(harness: Harness) -> None:
    """Sorted first, it would get the wake-up of those that have no slot."""
    noted, keys = Noted(), harness.parts.ledger.keys
    doubtful(harness, 1)
    harness.redis.zadd(keys.slot_due, {"k0": 1})

    sweeps(harness, noted.wake, noted.queued).once()

    assert noted.woken == [(RUN_SLOT, "k0")]


def test_a_sweep_takes_ten_batches_of_one_index_and_goes_on_at_once(harness: Harness) -> None:
    """Slots are dealt and woken between two sweeps, however much is due."""
    noted = Noted()
    doubtful(harness, 25)
    sweep = sweeps(harness, noted.wake, noted.queued, batch=2)

    assert sweep.once() == 0.0
    assert len(noted.woken) == 20
    assert sweep.once() > 0.0
    assert len(noted.woken) == 25


def test_a_slot_of_a_row_that_has_ended_does_not_bring_it_back(harness: Harness) -> None:
    noted, ledger = Noted(), harness.parts.ledger
    harness.redis.zadd(ledger.keys.slot_due, {"ended": 1})

    sweeps(harness, noted.wake, noted.queued).once()

    assert harness.redis.zcard(ledger.keys.due) == 0
    assert harness.redis.zcard(ledger.keys.slot_due) == 0


def test_a_read_that_somebody_waits_for_does_not_stand_behind_a_long_queue(
    harness: Harness,
) -> None:
    row_id, noted = harness.submit("digilocker"), Noted()
    harness.run_once(row_id)
    redis, keys = harness.redis, harness.parts.ledger.keys
    far = int(redis.time()[0]) * 1000 + 600_000
    redis.hset(keys.row(row_id), mapping={"looked": far, "due": 2 * far})
    sweep = crowded(harness, noted)

    due = harness.parts.ledger.hint(row_id, asked=True)

    assert redis.zscore(keys.slot_due, row_id) == due > far
    redis.hset(keys.row(row_id), "due", 1)  # as if that time had come
    redis.zadd(keys.due, {row_id: 1})
    redis.zadd(keys.slot_due, {row_id: 1})
    sweep.once()
    assert noted.woken == [(RUN_SLOT, row_id)]


def test_a_broker_that_is_away_is_tried_once_in_a_sweep(harness: Harness) -> None:
    redis, tried = harness.redis, list[str]()
    doubtful(harness, 5)

    def wake(_task: str, some: Sequence[str]) -> bool:
        tried.extend(some)
        return False

    wait = sweeps(harness, wake, batch=10).once()

    assert (len(tried), wait) == (1, 1.0)
    assert redis.zcard(harness.parts.ledger.keys.due) == 5, "they come back by themselves"


def test_a_sweeper_outlives_any_fault(caplog: pytest.LogCaptureFixture) -> None:
    beats: list[str] = []

    def broken() -> Sweep:
        if len(caplog.records) < 2:
            raise ValueError("not foreseen")
        return cast("Sweep", mute)

    mute: Any = create_autospec(Sweep, instance=True)
    mute.once.return_value = 60.0
    sweeper = Sweeper(broken, 0.01, lambda: beats.append("beat"))

    sweeper.start()
    try:
        eventually(lambda: beats)
    finally:
        sweeper.stop()

    assert [record.__dict__["code"] for record in caplog.records[:2]] == ["ValueError"] * 2


def test_a_sweeper_that_was_stopped_before_its_start_never_sweeps() -> None:
    """SIGTERM may come before the worker is ready; the worker still gets ready, then ends."""
    sweeps: list[str] = []

    def sweep() -> Sweep:
        sweeps.append("sweep")
        raise LookupError

    sweeper = Sweeper(sweep, 0.01, lambda: None)
    sweeper.stop()
    sweeper.start()
    sweeper.stop()

    assert not sweeps
