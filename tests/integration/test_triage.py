"""Rows that wait for quota are registered without a claim; holders of slots are woken first."""

import time
from typing import Any

import pytest

from satyapan.names import RUN, RUN_SLOT
from satyapan.records import Row
from tests.support.worker_harness import Harness

HOUR = 3_600_000


@pytest.fixture
def harness(redis_url: str, sandbox: Any) -> Harness:
    """One passport a minute: the quota is used up as soon as one was sent."""
    return Harness(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE="passport=1")


@pytest.fixture
def short_window(redis_url: str, sandbox: Any) -> Harness:
    """One passport a second."""
    return Harness(
        redis_url,
        sandbox.root,
        SATYAPAN_QUOTA_PER_MINUTE="passport=1",
        SATYAPAN_QUOTA_WINDOW_S="1",
        SATYAPAN_QUOTA_HORIZON_MS="500",
        SATYAPAN_QUOTA_MARGIN_MS="100",
    )


def submit_passports(harness: Harness, count: int, start: int = 0) -> list[str]:
    return [harness.submit("passport", f"k{n}") for n in range(start, start + count)]


def use_up_quota(harness: Harness) -> list[str]:
    """Use up the quota, and let a claimed row wait for it; return the ids of both."""
    ids = submit_passports(harness, 2, start=1000)
    # Repeat if the machine was so slow that the second row found a slot too.
    while not waiting(harness):
        for row_id in ids:
            harness.run_once(row_id)
        ids += submit_passports(harness, 1, start=1000 + len(ids))
    return ids


def waiting(harness: Harness) -> set[str]:
    ledger = harness.parts.ledger
    queue = ledger.keys.queue("main", "passport", "normal")
    return {raw.decode() for raw in harness.redis.zrange(queue, 0, -1)}


def make_due(harness: Harness, ids: list[str]) -> None:
    harness.redis.zadd(harness.parts.ledger.keys.due, dict.fromkeys(ids, 1))


def set_fields(harness: Harness, row_id: str, **fields: Any) -> None:
    keys = harness.parts.ledger.keys
    harness.redis.hset(keys.row(row_id), mapping=fields)


def never_claimed(row: Row) -> bool:
    return row.fence == 0


def test_a_sweep_registers_rows_that_would_only_wait(harness: Harness) -> None:
    use_up_quota(harness)
    ids = submit_passports(harness, 30)
    make_due(harness, ids)

    found = harness.parts.triage.take(100, 10_000)

    assert (found.claim, found.fresh) == ((), ())
    assert found.registered == 30
    rows = [harness.row(row_id) for row_id in ids]
    assert all(never_claimed(row) for row in rows)
    assert {row.reason for row in rows} == {"quota"}
    assert harness.parts.triage.take(100, 10_000).taken == 0, (
        "they are due once they are dealt slots"
    )


def test_the_rows_of_a_large_message_are_registered_and_none_is_claimed(harness: Harness) -> None:
    use_up_quota(harness)
    ids = submit_passports(harness, 30)

    harness.parts.engine.run_all(ids, RUN)

    assert all(never_claimed(harness.row(row_id)) for row_id in ids)
    assert len(waiting(harness)) > 20


def test_rows_are_run_if_no_row_waits(harness: Harness) -> None:
    ids = submit_passports(harness, 3)
    make_due(harness, ids)

    found = harness.parts.triage.take(100, 10_000)

    assert (found.claim, sorted(found.fresh), found.registered) == ((), sorted(ids), 0)


def test_rows_that_a_claim_must_decide_about_are_not_registered(harness: Harness) -> None:
    use_up_quota(harness)
    ids = submit_passports(harness, 6)
    now = harness.row(ids[0]).created
    set_fields(harness, ids[0], state="UNKNOWN")
    set_fields(harness, ids[1], attempts=1)
    set_fields(harness, ids[2], lease=1)
    set_fields(harness, ids[3], deadline=now)
    set_fields(harness, ids[4], kind="of_a_newer_version")
    link = harness.submit("static_kyc_link", "link")
    make_due(harness, [*ids, link])

    found = harness.parts.triage.take(100, 10_000)

    assert sorted(found.claim) == sorted(ids[:4])
    assert sorted(found.fresh) == sorted([ids[4], link])
    assert found.registered == 1


def test_the_due_index_is_corrected(harness: Harness) -> None:
    ids = submit_passports(harness, 4)
    now = harness.row(ids[0]).created
    set_fields(harness, ids[0], due=0)
    set_fields(harness, ids[1], due=now + HOUR)
    set_fields(harness, ids[2], lease=now + HOUR)
    make_due(harness, [*ids, "gone"])

    found = harness.parts.triage.take(100, 10_000)

    assert (found.claim, found.fresh) == ((), (ids[3],))
    index = harness.parts.ledger.keys.due
    redis = harness.redis
    scores = [redis.zscore(index, one) for one in (*ids[:3], "gone")]
    assert scores == [None, now + HOUR, now + HOUR, None]


def test_a_holder_of_a_slot_is_woken_through_a_queue_of_its_own(short_window: Harness) -> None:
    harness = short_window
    use_up_quota(harness)
    ids = submit_passports(harness, 3)
    make_due(harness, ids)
    end = time.monotonic() + 60

    while len(woken := woken_by(harness, RUN_SLOT)) < 3 and time.monotonic() < end:
        harness.sweep()
        time.sleep(0.05)

    assert len(woken) >= 3
    assert woken_by(harness, RUN) == []
    keys, redis = harness.parts.ledger.keys, harness.redis
    again = redis.zscore(keys.due, woken[0])
    assert again > harness.row(woken[0]).due, "it is due again if that wake-up is lost"


def woken_by(harness: Harness, task: str) -> list[str]:
    return [one for name, ids in harness.woken for one in ids if name == task]


def test_without_redis_triage_leaves_all_rows_to_the_runs(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as Away  # noqa: PLC0415

    def away(**_: Any) -> None:
        raise Away

    monkeypatch.setattr(harness.parts.triage, "_sort", away)

    assert harness.parts.triage.leave_out(["a", "b"]) == ["a", "b"]
