"""The sweeper against a queue that is long, a broker that is away, and faults nobody foresaw."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import create_autospec

import pytest

from satyapan.names import RUN, RUN_SLOT
from tests.support.eventually import eventually
from tests.support.workbench import Workbench
from worker.broker.wakeups import Wake
from worker.maintenance.sweeper import ENOUGH, PATIENCE_MS, Queued, Sweep, Sweeper


def doubtful(bench: Workbench, count: int) -> None:
    """Write rows that are due and that only a claim can judge."""
    redis, keys = bench.redis, bench.parts.ledger.keys
    for number in range(count):
        redis.hset(keys.row(f"k{number}"), mapping={"state": "UNKNOWN", "due": 1})
        redis.zadd(keys.due, {f"k{number}": 1})


def sweeps(bench: Workbench, wake: Wake, queued: Queued = lambda _task: 0, batch: int = 2) -> Sweep:
    ledger, triage = bench.parts.ledger, bench.parts.triage
    redis = bench.redis
    return Sweep(redis, ledger.keys, triage, wake, chunk=1, batch=batch, keep_ms=1, queued=queued)


def test_a_long_queue_gets_no_more_wake_ups(bench: Workbench) -> None:
    redis, woken, waiting = bench.redis, list[str](), [0]
    doubtful(bench, 6)

    def wake(_task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        waiting[0] = ENOUGH
        return True

    sweep = sweeps(bench, wake, lambda task: waiting[0] if task == RUN else 0)

    assert sweep.once() >= 1.0
    assert len(woken) == 2
    now = int(redis.time()[0]) * 1000
    later = redis.zrange(bench.parts.ledger.keys.due, 0, -1, withscores=True)
    assert all(score <= now + 1_000 + PATIENCE_MS for _, score in later), "looked at again soon"
    doubtful(bench, 6)
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


def crowded(bench: Workbench, noted: Noted, batch: int = 10) -> Sweep:
    """Let a sweeper find that the queue of runs is long."""
    noted.lengths[RUN] = ENOUGH
    sweep = sweeps(bench, noted.wake, noted.queued, batch)
    doubtful(bench, 1)
    sweep.once()
    noted.woken.clear()
    return sweep


def test_a_long_queue_is_not_looked_at_again_and_again(bench: Workbench) -> None:
    """Thousands of rows behind a long queue would be sorted many times a second."""
    noted, redis, due = Noted(), bench.redis, bench.parts.ledger.keys.due
    sweep = crowded(bench, noted)
    doubtful(bench, 300)
    before = int(redis.time()[0]) * 1000

    assert [sweep.once() for _ in range(3)] == [1.0] * 3
    assert noted.woken == []
    back = [score - before for _, score in redis.zrange(due, 0, -1, withscores=True)]
    assert min(back) >= 1_000
    assert sum(after >= PATIENCE_MS // 2 for after in back) >= 150, "spread over some seconds"


def test_what_was_never_sent_does_not_stand_behind_a_long_queue(bench: Workbench) -> None:
    noted = Noted()
    sweep = crowded(bench, noted)
    fresh = overdue(bench, "k")

    sweep.once()

    assert noted.woken == [(RUN_SLOT, fresh)]


def overdue(bench: Workbench, key: str) -> str:
    """Submit what can go now, and lose its wake-up."""
    fresh = bench.submit("passport", key)
    bench.redis.zadd(bench.parts.ledger.keys.due, {fresh: 1})
    return fresh


def test_what_was_never_sent_does_not_hold_up_those_whose_slot_has_come(bench: Workbench) -> None:
    noted = Noted(slot=1)
    sweep = sweeps(bench, noted.wake, noted.queued, 10)
    fresh = overdue(bench, "k")

    sweep.once()

    assert noted.woken == [(RUN, fresh)]
    sweep = crowded(bench, noted)
    other = overdue(bench, "other")
    sweep.once()
    assert noted.woken == [], "it waits while both queues are in use"
    back = bench.redis.zscore(bench.parts.ledger.keys.due, other)
    assert back - bench.row(other).created < 60_000


def test_what_was_never_sent_makes_no_queue_longer_than_enough(bench: Workbench) -> None:
    noted = Noted(slot=1, run=ENOUGH)
    fresh = {overdue(bench, f"k{n}") for n in range(3)}

    sweeps(bench, noted.wake, noted.queued, batch=1).once()

    (woken,) = noted.woken
    assert woken[0] == RUN
    assert woken[1] in fresh


def test_those_whose_slot_has_come_are_woken_before_anything_is_sorted(bench: Workbench) -> None:
    """Sorted first, it would get the wake-up of those that have no slot."""
    noted, keys = Noted(), bench.parts.ledger.keys
    doubtful(bench, 1)
    bench.redis.zadd(keys.slot_due, {"k0": 1})

    sweeps(bench, noted.wake, noted.queued).once()

    assert noted.woken == [(RUN_SLOT, "k0")]


def test_a_sweep_takes_ten_batches_of_one_index_and_goes_on_at_once(bench: Workbench) -> None:
    """Slots are dealt and woken between two sweeps, however much is due."""
    noted = Noted()
    doubtful(bench, 25)
    sweep = sweeps(bench, noted.wake, noted.queued, batch=2)

    assert sweep.once() == 0.0
    assert len(noted.woken) == 20
    assert sweep.once() > 0.0
    assert len(noted.woken) == 25


def test_a_slot_of_a_row_that_has_ended_does_not_bring_it_back(bench: Workbench) -> None:
    noted, ledger = Noted(), bench.parts.ledger
    bench.redis.zadd(ledger.keys.slot_due, {"ended": 1})

    sweeps(bench, noted.wake, noted.queued).once()

    assert bench.redis.zcard(ledger.keys.due) == 0
    assert bench.redis.zcard(ledger.keys.slot_due) == 0


def test_a_read_that_somebody_waits_for_does_not_stand_behind_a_long_queue(
    bench: Workbench,
) -> None:
    row_id, noted = bench.submit("digilocker"), Noted()
    bench.once(row_id)
    redis, keys = bench.redis, bench.parts.ledger.keys
    far = int(redis.time()[0]) * 1000 + 600_000
    redis.hset(keys.row(row_id), mapping={"looked": far, "due": 2 * far})
    sweep = crowded(bench, noted)

    due = bench.parts.ledger.hint(row_id, asked=True)

    assert redis.zscore(keys.slot_due, row_id) == due > far
    redis.hset(keys.row(row_id), "due", 1)  # as if that time had come
    redis.zadd(keys.due, {row_id: 1})
    redis.zadd(keys.slot_due, {row_id: 1})
    sweep.once()
    assert noted.woken == [(RUN_SLOT, row_id)]


def test_a_broker_that_is_away_is_tried_once_in_a_sweep(bench: Workbench) -> None:
    redis, tried = bench.redis, list[str]()
    doubtful(bench, 5)

    def wake(_task: str, some: Sequence[str]) -> bool:
        tried.extend(some)
        return False

    wait = sweeps(bench, wake, batch=10).once()

    assert (len(tried), wait) == (1, 1.0)
    assert redis.zcard(bench.parts.ledger.keys.due) == 5, "they come back by themselves"


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
