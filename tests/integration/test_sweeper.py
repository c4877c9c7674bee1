"""The sweeper against a queue that is long, a broker that is away, and faults nobody foresaw."""

from collections.abc import Sequence
from typing import Any, cast
from unittest.mock import create_autospec

import pytest

from satyapan.names import RUN
from tests.support.eventually import eventually
from tests.support.workbench import Workbench
from worker.sweeper import ENOUGH, Sweep, Sweeper


def test_a_long_queue_gets_no_more_wake_ups(bench: Workbench) -> None:
    redis, woken, waiting = bench.parts.ledger.ledger.redis, list[str](), [0]
    for number in range(6):
        redis.zadd(bench.parts.ledger.keys.due, {f"k{number}": 1})

    def wake(_task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        waiting[0] = ENOUGH
        return True

    def queued(task: str) -> int:
        return waiting[0] if task == RUN else 0

    sweep = Sweep(redis, bench.parts.ledger.keys, wake, chunk=1, batch=2, keep_ms=1, queued=queued)

    assert sweep.once() == 1.0
    assert len(woken) == 2
    waiting[0] = ENOUGH - 1
    sweep.once()
    assert len(woken) == 4


def test_a_broker_that_is_away_is_tried_once_in_a_sweep(bench: Workbench) -> None:
    redis, tried = bench.parts.ledger.ledger.redis, list[str]()
    for number in range(5):
        redis.zadd(bench.parts.ledger.keys.due, {f"k{number}": 1})

    def wake(_task: str, some: Sequence[str]) -> bool:
        tried.extend(some)
        return False

    wait = Sweep(redis, bench.parts.ledger.keys, wake, chunk=1, batch=10, keep_ms=1).once()

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
