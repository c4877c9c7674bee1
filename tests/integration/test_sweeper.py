"""The sweeper with a long queue, with an absent broker, and after unexpected errors."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import create_autospec

import pytest

from satyapan.names import RUN, RUN_SLOT
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.broker.wakeups import Wake
from worker.maintenance.sweeper import ENOUGH, PATIENCE_MS, Queued, Sweep, Sweeper


def write_unknown_rows(harness: Harness, count: int) -> None:
    """Write due rows that only a claim can decide about."""
    redis, keys = harness.redis, harness.parts.ledger.keys
    for number in range(count):
        redis.hset(keys.row(f"k{number}"), mapping={"state": "UNKNOWN", "due": 1})
        redis.zadd(keys.due, {f"k{number}": 1})


def build_sweep(
    harness: Harness, wake: Wake, queued: Queued = lambda _task: 0, batch: int = 2
) -> Sweep:
    ledger, triage = harness.parts.ledger, harness.parts.triage
    redis = harness.redis
    return Sweep(redis, ledger.keys, triage, wake, chunk=1, batch=batch, keep_ms=1, queued=queued)


def test_a_long_queue_gets_no_more_wake_ups(harness: Harness) -> None:
    redis, woken, waiting = harness.redis, list[str](), [0]
    write_unknown_rows(harness, 6)

    def wake(_task: str, ids: Sequence[str]) -> bool:
        woken.extend(ids)
        waiting[0] = ENOUGH
        return True

    sweep = build_sweep(harness, wake, lambda task: waiting[0] if task == RUN else 0)

    assert sweep.once() >= 1.0
    assert len(woken) == 2
    now = int(redis.time()[0]) * 1000
    later = redis.zrange(harness.parts.ledger.keys.due, 0, -1, withscores=True)
    assert all(score <= now + 1_000 + PATIENCE_MS for _, score in later), "due again soon"
    write_unknown_rows(harness, 6)
    waiting[0] = ENOUGH - 1
    sweep.once()
    assert len(woken) == 4


class WakeRecorder:
    """Records wake-ups; a test sets the lengths of the queues."""

    def __init__(self, **lengths: int) -> None:
        self.lengths = {RUN: lengths.get("run", 0), RUN_SLOT: lengths.get("slot", 0)}
        self.woken: list[tuple[str, str]] = []

    def wake(self, task: str, ids: Sequence[str]) -> bool:
        self.woken += [(task, one) for one in ids]
        return True

    def queued(self, task: str) -> int:
        return self.lengths.get(task, 0)


def sweep_with_long_queue(harness: Harness, recorder: WakeRecorder, batch: int = 10) -> Sweep:
    """Build a sweep that has found the queue of runs to be long."""
    recorder.lengths[RUN] = ENOUGH
    sweep = build_sweep(harness, recorder.wake, recorder.queued, batch)
    write_unknown_rows(harness, 1)
    sweep.once()
    recorder.woken.clear()
    return sweep


def test_rows_behind_a_long_queue_are_put_off_for_some_seconds(harness: Harness) -> None:
    """Otherwise thousands of such rows would be sorted many times a second."""
    recorder, redis, due = WakeRecorder(), harness.redis, harness.parts.ledger.keys.due
    sweep = sweep_with_long_queue(harness, recorder)
    write_unknown_rows(harness, 300)
    before = int(redis.time()[0]) * 1000

    assert [sweep.once() for _ in range(3)] == [1.0] * 3
    assert recorder.woken == []
    back = [score - before for _, score in redis.zrange(due, 0, -1, withscores=True)]
    assert min(back) >= 1_000
    assert sum(after >= PATIENCE_MS // 2 for after in back) >= 150, "spread over some seconds"


def test_a_row_that_was_never_sent_does_not_wait_behind_a_long_queue(harness: Harness) -> None:
    recorder = WakeRecorder()
    sweep = sweep_with_long_queue(harness, recorder)
    fresh = submit_without_wake_up(harness, "k")

    sweep.once()

    assert recorder.woken == [(RUN_SLOT, fresh)]


def submit_without_wake_up(harness: Harness, key: str) -> str:
    """Submit a row that can be called now and whose wake-up was lost."""
    fresh = harness.submit("passport", key)
    harness.redis.zadd(harness.parts.ledger.keys.due, {fresh: 1})
    return fresh


def test_rows_that_were_never_sent_do_not_delay_rows_whose_slot_has_come(harness: Harness) -> None:
    recorder = WakeRecorder(slot=1)
    sweep = build_sweep(harness, recorder.wake, recorder.queued, 10)
    fresh = submit_without_wake_up(harness, "k")

    sweep.once()

    assert recorder.woken == [(RUN, fresh)]
    sweep = sweep_with_long_queue(harness, recorder)
    other = submit_without_wake_up(harness, "other")
    sweep.once()
    assert recorder.woken == [], "it waits while both queues are in use"
    back = harness.redis.zscore(harness.parts.ledger.keys.due, other)
    assert back - harness.row(other).created < 60_000


def test_rows_that_were_never_sent_lengthen_no_queue_beyond_the_bound(harness: Harness) -> None:
    recorder = WakeRecorder(slot=1, run=ENOUGH)
    fresh = {submit_without_wake_up(harness, f"k{n}") for n in range(3)}

    build_sweep(harness, recorder.wake, recorder.queued, batch=1).once()

    (woken,) = recorder.woken
    assert woken[0] == RUN
    assert woken[1] in fresh


def test_rows_whose_slot_has_come_are_woken_before_due_rows_are_sorted(harness: Harness) -> None:
    """A row that is sorted first would get the wake-up of rows without a slot."""
    recorder, keys = WakeRecorder(), harness.parts.ledger.keys
    write_unknown_rows(harness, 1)
    harness.redis.zadd(keys.slot_due, {"k0": 1})

    build_sweep(harness, recorder.wake, recorder.queued).once()

    assert recorder.woken == [(RUN_SLOT, "k0")]


def test_a_sweep_takes_ten_batches_of_one_index_and_goes_on_at_once(harness: Harness) -> None:
    """Slots are dealt and woken between two sweeps, however much is due."""
    recorder = WakeRecorder()
    write_unknown_rows(harness, 25)
    sweep = build_sweep(harness, recorder.wake, recorder.queued, batch=2)

    assert sweep.once() == 0.0
    assert len(recorder.woken) == 20
    assert sweep.once() > 0.0
    assert len(recorder.woken) == 25


def test_a_slot_of_an_ended_row_does_not_make_it_due(harness: Harness) -> None:
    recorder, ledger = WakeRecorder(), harness.parts.ledger
    harness.redis.zadd(ledger.keys.slot_due, {"ended": 1})

    build_sweep(harness, recorder.wake, recorder.queued).once()

    assert harness.redis.zcard(ledger.keys.due) == 0
    assert harness.redis.zcard(ledger.keys.slot_due) == 0


def test_a_requested_read_does_not_wait_behind_a_long_queue(
    harness: Harness,
) -> None:
    row_id, recorder = harness.submit("digilocker"), WakeRecorder()
    harness.run_once(row_id)
    redis, keys = harness.redis, harness.parts.ledger.keys
    far = int(redis.time()[0]) * 1000 + 600_000
    redis.hset(keys.row(row_id), mapping={"checked": far, "due": 2 * far})
    sweep = sweep_with_long_queue(harness, recorder)

    due = harness.parts.ledger.hint(row_id, asked=True)

    assert redis.zscore(keys.slot_due, row_id) == due > far
    redis.hset(keys.row(row_id), "due", 1)  # as if that time had come
    redis.zadd(keys.due, {row_id: 1})
    redis.zadd(keys.slot_due, {row_id: 1})
    sweep.once()
    assert recorder.woken == [(RUN_SLOT, row_id)]


def test_a_sweep_tries_an_absent_broker_once(harness: Harness) -> None:
    redis, tried = harness.redis, list[str]()
    write_unknown_rows(harness, 5)

    def wake(_task: str, ids: Sequence[str]) -> bool:
        tried.extend(ids)
        return False

    wait = build_sweep(harness, wake, batch=10).once()

    assert (len(tried), wait) == (1, 1.0)
    assert redis.zcard(harness.parts.ledger.keys.due) == 5, "the rows stay due"


def test_the_sweeper_continues_after_any_error(caplog: pytest.LogCaptureFixture) -> None:
    beats: list[str] = []

    def broken() -> Sweep:
        if len(caplog.records) < 2:
            raise ValueError("unexpected")
        return cast("Sweep", working)

    working: Any = create_autospec(Sweep, instance=True)
    working.once.return_value = 60.0
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
