"""The sweeper against a queue that is long, a broker that is away, and faults nobody foresaw."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import create_autospec

import pytest

from satyapan.names import RUN, RUN_SLOT
from tests.support.eventually import eventually
from tests.support.workbench import Workbench
from worker.sweeper import ENOUGH, Queued, Sweep, Sweeper, Wake


def doubtful(bench: Workbench, count: int) -> None:
    """Write rows that are due and that only a claim can judge."""
    redis, keys = bench.parts.ledger.ledger.redis, bench.parts.ledger.keys
    for number in range(count):
        redis.hset(keys.row(f"k{number}"), mapping={"state": "UNKNOWN", "due": 1})
        redis.zadd(keys.due, {f"k{number}": 1})


def sweeps(bench: Workbench, wake: Wake, queued: Queued = lambda _task: 0, batch: int = 2) -> Sweep:
    ledger, triage = bench.parts.ledger, bench.parts.triage
    redis = ledger.ledger.redis
    return Sweep(redis, ledger.keys, triage, wake, chunk=1, batch=batch, keep_ms=1, queued=queued)


def test_a_long_queue_gets_no_more_wake_ups(bench: Workbench) -> None:
    redis, woken, waiting = bench.parts.ledger.ledger.redis, list[str](), [0]
    doubtful(bench, 6)

    def wake(_task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        waiting[0] = ENOUGH
        return True

    sweep = sweeps(bench, wake, lambda task: waiting[0] if task == RUN else 0)

    assert 0 < sweep.once() <= 1.0
    assert len(woken) == 2
    now = int(redis.time()[0]) * 1000
    soon = redis.zrangebyscore(bench.parts.ledger.keys.due, "-inf", now + 2_000)
    assert len(soon) == 4, "the others are looked at again a moment later"
    doubtful(bench, 6)
    waiting[0] = ENOUGH - 1
    sweep.once()
    assert len(woken) == 4


def test_what_was_never_sent_does_not_stand_behind_a_long_queue(bench: Workbench) -> None:
    woken: list[tuple[str, list[str]]] = []

    def wake(task: str, some: Sequence[str]) -> bool:
        woken.append((task, list(some)))
        return True

    sweep = sweeps(bench, wake, lambda task: ENOUGH if task == RUN else 0, batch=10)
    doubtful(bench, 1)
    sweep.once()
    fresh = bench.submit("passport")
    bench.parts.ledger.ledger.redis.zadd(bench.parts.ledger.keys.due, {fresh: 1})
    woken.clear()

    sweep.once()

    assert woken == [(RUN_SLOT, [fresh])]


def test_a_broker_that_is_away_is_tried_once_in_a_sweep(bench: Workbench) -> None:
    redis, tried = bench.parts.ledger.ledger.redis, list[str]()
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
