"""A deep backlog behind a used-up quota isn't claimed and doesn't delay other rows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.local_stack import LocalStack
from satyapan import State
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.names import RUN, RUN_HIGH, Keys
from tests.support.eventually import eventually

PASSPORT = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
LIMIT = 20
"""Calls a minute: a row behind the backlog would wait for hours."""
PATIENCE_S = 50
"""Less than a window: a row that is done by then was called in the first window."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    quota = {"SATYAPAN_QUOTA_PER_MINUTE": f"passport={LIMIT}"}
    args = ["--quota", f"passport={LIMIT}"]
    with LocalStack(tmp_path, workers=0, env=quota, sandbox_args=args, callbacks=False) as opened:
        yield opened


def items(count: int) -> list[Mapping[str, Any]]:
    return [{"request": PASSPORT, "key": f"big-{n}"} for n in range(count)]


@pytest.fixture
def store(stack: LocalStack) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(stack.server.url) as client:
        yield client


def claimed(store: "redis.Redis", ids: list[str]) -> int:
    """Count the rows that a worker has ever claimed."""
    keys = Keys()
    with store.pipeline(transaction=False) as pipe:
        for row_id in ids:
            pipe.hget(keys.row(row_id), "fence")
        return sum(fence is not None for fence in pipe.execute())


@pytest.mark.slow
def test_rows_that_wait_for_quota_are_registered_without_a_claim(
    stack: LocalStack, store: "redis.Redis"
) -> None:
    big = stack.verifications("big")
    ids = [found.id for found in big.submit_many("passport", items(3000))]  # type: ignore[union-attr] # none is refused
    stack.restart_worker()

    broker = Waker(wake_app(big._settings))
    eventually(lambda: broker.queued(RUN) == 0, within=60)
    eventually(lambda: store.zcard(lane()) > 2_500, within=60)

    # Claimed are the rows that were called, and those of the first messages.
    assert claimed(store, ids) < 500


def lane() -> str:
    return Keys().queue("main", "passport", "normal")


@pytest.mark.slow
def test_a_row_of_high_priority_does_not_wait_behind_others_messages(stack: LocalStack) -> None:
    big, urgent = stack.verifications("big"), stack.verifications("urgent")
    for each in items(400):
        big.submit("passport", PASSPORT, key=str(each["key"]))
    late = urgent.submit("passport", PASSPORT, key="urgent", priority="high")
    stack.restart_worker()

    assert urgent.wait(late.id, timeout=PATIENCE_S).state is State.DONE


def test_rows_of_high_priority_in_a_bulk_get_their_own_message(stack: LocalStack) -> None:
    big = stack.verifications("big")
    urgent = {"request": PASSPORT, "key": "urgent", "priority": "high"}

    big.submit_many("passport", [*items(100), urgent, *items(150)[100:]])
    big.close()

    broker = Waker(wake_app(big._settings))
    assert [broker.queued(task) for task in (RUN_HIGH, RUN)] == [1, 3]
