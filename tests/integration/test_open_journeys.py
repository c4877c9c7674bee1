"""How many journeys are open is known, and polls are spread over them."""

from typing import Any

import pytest

from tests.support.workbench import Workbench


@pytest.fixture
def bench(redis_url: str, sandbox: Any) -> Workbench:
    """Two status reads a minute, so one poll a minute for all journeys together."""
    return Workbench(
        redis_url,
        sandbox.root,
        SATYAPAN_QUOTA_PER_MINUTE="digilocker-status=2,digilocker=1000",
        SATYAPAN_WORKER_POLL_MIN_S="5",
        SATYAPAN_WORKER_POLL_MAX_S="60",
    )


def opened(bench: Workbench) -> int:
    keys = bench.parts.ledger.keys
    return int(bench.parts.ledger.ledger.redis.zcard(keys.open("main", "digilocker-status")))


def begun(bench: Workbench, key: str) -> str:
    row_id = bench.submit("digilocker", key)
    bench.once(row_id)
    return row_id


def test_open_journeys_are_counted_until_they_end(bench: Workbench) -> None:
    ids = [begun(bench, f"k{n}") for n in range(3)]
    passport = bench.submit("passport")
    bench.settle(passport)
    assert opened(bench) == 3

    bench.vendor.post(f"journeys/{ids[0]}", decision="deny")
    bench.parts.look(ids[0])

    assert bench.look(ids[0]).state == "DENIED"
    assert opened(bench) == 2


def test_the_more_are_open_the_later_is_each_polled(bench: Workbench) -> None:
    waits = []
    for n in range(4):
        row = bench.row(begun(bench, f"k{n}"))
        waits.append((row.due - row.updated) / 60_000)

    # One poll a minute for all: the fourth, beside three others, in about three minutes.
    assert waits[0] < 0.2
    assert [round(wait) for wait in waits[1:]] == pytest.approx([1, 2, 3], abs=1)
    assert waits[1] >= 0.95
    assert waits[3] >= 2.95
