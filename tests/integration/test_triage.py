"""What waits for the quota is registered without a claim; who holds a slot is woken first."""

import time
from typing import Any

import pytest

from satyapan.names import RUN, RUN_SLOT
from satyapan.records import Row
from tests.support.workbench import Workbench

HOUR = 3_600_000


@pytest.fixture
def bench(redis_url: str, sandbox: Any) -> Workbench:
    """One passport a minute: the quota is used up as soon as one was sent."""
    return Workbench(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE="passport=1")


@pytest.fixture
def quick(redis_url: str, sandbox: Any) -> Workbench:
    """One passport a second."""
    return Workbench(
        redis_url,
        sandbox.root,
        SATYAPAN_QUOTA_PER_MINUTE="passport=1",
        SATYAPAN_QUOTA_WINDOW_S="1",
        SATYAPAN_QUOTA_HORIZON_MS="500",
        SATYAPAN_QUOTA_MARGIN_MS="100",
    )


def submitted(bench: Workbench, count: int, start: int = 0) -> list[str]:
    return [bench.submit("passport", f"k{n}") for n in range(start, start + count)]


def contended(bench: Workbench) -> list[str]:
    """Use up the quota, and have a row wait for it that was claimed; return the ids of both."""
    ids = submitted(bench, 2, start=1000)
    # Once more if the machine was so slow that the second found a slot of its own.
    while not waiting(bench):
        for row_id in ids:
            bench.once(row_id)
        ids += submitted(bench, 1, start=1000 + len(ids))
    return ids


def waiting(bench: Workbench) -> set[str]:
    ledger = bench.parts.ledger
    queue = ledger.keys.queue("main", "passport", "normal")
    return {raw.decode() for raw in bench.redis.zrange(queue, 0, -1)}


def make_due(bench: Workbench, ids: list[str]) -> None:
    bench.redis.zadd(bench.parts.ledger.keys.due, dict.fromkeys(ids, 1))


def change(bench: Workbench, row_id: str, **fields: Any) -> None:
    keys = bench.parts.ledger.keys
    bench.redis.hset(keys.row(row_id), mapping=fields)


def never_claimed(row: Row) -> bool:
    return row.fence == 0


def test_a_sweep_registers_rows_that_would_only_wait(bench: Workbench) -> None:
    contended(bench)
    ids = submitted(bench, 30)
    make_due(bench, ids)

    found = bench.parts.triage.take(100, 10_000)

    assert (found.claim, found.fresh) == ((), ())
    assert found.registered == 30
    rows = [bench.row(row_id) for row_id in ids]
    assert all(never_claimed(row) for row in rows)
    assert {row.reason for row in rows} == {"quota"}
    assert bench.parts.triage.take(100, 10_000).taken == 0, "they are due when they are dealt"


def test_a_message_of_many_is_registered_and_none_of_it_claimed(bench: Workbench) -> None:
    contended(bench)
    ids = submitted(bench, 30)

    bench.parts.run_all(ids)

    assert all(never_claimed(bench.row(row_id)) for row_id in ids)
    assert len(waiting(bench)) > 20


def test_rows_are_run_where_nobody_waits(bench: Workbench) -> None:
    ids = submitted(bench, 3)
    make_due(bench, ids)

    found = bench.parts.triage.take(100, 10_000)

    assert (found.claim, sorted(found.fresh), found.registered) == ((), sorted(ids), 0)


def test_what_a_claim_has_to_judge_is_not_registered(bench: Workbench) -> None:
    contended(bench)
    ids = submitted(bench, 6)
    now = bench.row(ids[0]).created
    change(bench, ids[0], state="UNKNOWN")
    change(bench, ids[1], attempts=1)
    change(bench, ids[2], lease=1)
    change(bench, ids[3], deadline=now)
    change(bench, ids[4], kind="of_a_newer_version")
    link = bench.submit("static_kyc_link", "link")
    make_due(bench, [*ids, link])

    found = bench.parts.triage.take(100, 10_000)

    assert sorted(found.claim) == sorted(ids[:4])
    assert sorted(found.fresh) == sorted([ids[4], link])
    assert found.registered == 1


def test_the_due_index_is_put_right(bench: Workbench) -> None:
    ids = submitted(bench, 4)
    now = bench.row(ids[0]).created
    change(bench, ids[0], due=0)
    change(bench, ids[1], due=now + HOUR)
    change(bench, ids[2], lease=now + HOUR)
    make_due(bench, [*ids, "gone"])

    found = bench.parts.triage.take(100, 10_000)

    assert (found.claim, found.fresh) == ((), (ids[3],))
    index = bench.parts.ledger.keys.due
    redis = bench.redis
    scores = [redis.zscore(index, one) for one in (*ids[:3], "gone")]
    assert scores == [None, now + HOUR, now + HOUR, None]


def test_who_holds_a_slot_is_woken_by_a_queue_of_its_own(quick: Workbench) -> None:
    bench = quick
    contended(bench)
    ids = submitted(bench, 3)
    make_due(bench, ids)
    end = time.monotonic() + 60

    while len(woken := woken_by(bench, RUN_SLOT)) < 3 and time.monotonic() < end:
        bench.sweep()
        time.sleep(0.05)

    assert len(woken) >= 3
    assert woken_by(bench, RUN) == []
    keys, redis = bench.parts.ledger.keys, bench.redis
    again = redis.zscore(keys.due, woken[0])
    assert again > bench.row(woken[0]).due, "it comes back by itself if that wake-up is lost"


def woken_by(bench: Workbench, task: str) -> list[str]:
    return [one for name, ids in bench.woken for one in ids if name == task]


def test_what_cannot_be_read_now_is_left_to_the_runs(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as Away  # noqa: PLC0415

    def away(**_: Any) -> None:
        raise Away

    monkeypatch.setattr(bench.parts.triage, "_sort", away)

    assert bench.parts.triage.leave_out(["a", "b"]) == ["a", "b"]
