"""Open journeys are counted, and polls are spread over them."""

from typing import Any

import pytest

from tests.support.worker_harness import Harness
from worker.operator.actions import OperatorActions

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def harness(redis_url: str, sandbox: Any) -> Harness:
    """Two status reads a minute, so one poll a minute for all journeys together."""
    return Harness(
        redis_url,
        sandbox.root,
        SATYAPAN_QUOTA_PER_MINUTE="digilocker_status=2,digilocker=1000",
        SATYAPAN_WORKER_POLL_MIN_S="5",
        SATYAPAN_WORKER_POLL_MAX_S="60",
    )


def count_open(harness: Harness) -> int:
    keys = harness.parts.ledger.keys
    return int(harness.redis.zcard(keys.open("main", "digilocker_status")))


def begin_journey(harness: Harness, key: str) -> str:
    row_id = harness.submit("digilocker", key)
    harness.run_once(row_id)
    return row_id


def test_open_journeys_are_counted_until_they_end(harness: Harness) -> None:
    ids = [begin_journey(harness, f"k{n}") for n in range(3)]
    passport = harness.submit("passport")
    harness.settle(passport)
    assert count_open(harness) == 3

    harness.vendor.post(f"journeys/{ids[0]}", decision="deny")
    harness.parts.check_status(ids[0])

    assert harness.read(ids[0]).state == "DENIED"
    assert count_open(harness) == 2


def test_a_parked_journey_is_open_again_once_it_is_redriven(harness: Harness) -> None:
    parts, row_id = harness.parts, begin_journey(harness, "k")
    fields = {"crashes": parts.policy.max_crashes, "due": 1}
    harness.redis.hset(parts.ledger.keys.row(row_id), mapping=fields)
    assert harness.run_once(row_id).reason == "workers_lost"
    assert count_open(harness) == 0

    operator = OperatorActions(
        parts.ledger, parts.ingest._inbox, parts.kinds, parts.policy, harness.wake, "asha"
    )
    operator.redrive(row_id)

    assert count_open(harness) == 1


def test_a_journey_whose_end_was_not_recorded_leaves_the_count_in_the_end(harness: Harness) -> None:
    """It leaves the count a day after its deadline."""
    redis, keys = harness.redis, harness.parts.ledger.keys
    now = int(redis.time()[0]) * 1000
    known = {"yesterday's": now - DAY - 5_000, "today's": now - DAY + HOUR}
    redis.zadd(keys.open("main", "digilocker_status"), known)

    row_id = begin_journey(harness, "k")

    left = redis.zrange(keys.open("main", "digilocker_status"), 0, -1)
    assert left == [b"today's", row_id.encode()]


def test_each_journey_is_polled_later_the_more_are_open(harness: Harness) -> None:
    waits = []
    for n in range(4):
        row = harness.row(begin_journey(harness, f"k{n}"))
        waits.append((row.due - row.updated) / 60_000)

    # One poll a minute for all: the fourth journey is polled after about three minutes.
    assert waits[0] < 0.2
    assert [round(wait) for wait in waits[1:]] == pytest.approx([1, 2, 3], abs=1)
    assert waits[1] >= 0.95
    assert waits[3] >= 2.95
