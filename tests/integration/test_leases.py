"""Claims are renewed while their worker lives, and only by that worker."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from satyapan import State
from satyapan.records import Row
from tests.support.worker_harness import Harness
from worker.engine.leases import Leases
from worker.ledger.work_ledger import Claim, Outage, StaleFence, WorkLedger

LEASE_MS = 60_000
GAP_MS, GRACE_MS = 5_000, 60_000


@pytest.fixture
def ledger(harness: Harness) -> WorkLedger:
    """Build a ledger whose leases end only when a test ends them, however slow the machine is."""
    parts = harness.parts.ledger
    return WorkLedger(
        harness.redis, parts.keys, parts.ring, LEASE_MS, parts.lives, Outage(GAP_MS, GRACE_MS)
    )


def claimed(ledger: WorkLedger, row_id: str) -> Claim:
    claim = ledger.claim(row_id)
    assert claim is not None
    return claim


def end_lease(ledger: WorkLedger, row_id: str) -> None:
    set_lease(ledger, row_id, int(stored(ledger, row_id)[b"lease"]) - 2 * LEASE_MS)


def set_lease(ledger: WorkLedger, row_id: str, ends: int) -> None:
    ledger._redis.hset(ledger.keys.row(row_id), "lease", ends)
    ledger._redis.zadd(ledger.keys.due, {row_id: ends})


def stored(ledger: WorkLedger, row_id: str) -> Mapping[Any, Any]:
    fields: Mapping[Any, Any] = ledger._redis.hgetall(ledger.keys.row(row_id))
    return fields


def due(ledger: WorkLedger, row_id: str) -> float | None:
    score: float | None = ledger._redis.zscore(ledger.keys.due, row_id)
    return score


def release(ledger: WorkLedger, claim: Claim, **what: Any) -> Row:
    after = replace(claim.row, state=State.ACCEPTED, due=claim.now, **what)
    return ledger.committing(claim.row, after, (), claim.now, keep=False).now()


def renew(ledger: WorkLedger, claim: Claim) -> frozenset[str]:
    return ledger.renewing({claim.row.id: claim.row.fence}).now()


def test_a_renewed_claim_outlives_its_lease_and_is_not_taken_over(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)
    for _ in range(3):  # as if most of the lease had passed
        set_lease(ledger, row_id, harness.row(row_id).lease - LEASE_MS * 2 // 3)
        assert renew(ledger, claim) == frozenset()
        assert ledger.claim(row_id) is None

    row = harness.row(row_id)
    assert (row.fence, row.crashes) == (claim.row.fence, 0)
    assert row.lease > claim.now + LEASE_MS // 2
    assert due(ledger, row_id) == row.lease


def test_without_renewal_another_worker_takes_the_claim_over(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)

    end_lease(ledger, row_id)
    taken = claimed(ledger, row_id)

    assert (taken.row.fence, taken.row.crashes) == (claim.row.fence + 1, 1)


def test_an_ended_lease_is_renewed_if_nobody_took_the_row_over(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)
    end_lease(ledger, row_id)

    lost = renew(ledger, claim)

    assert lost == frozenset()
    assert due(ledger, row_id) == harness.row(row_id).lease > claim.now
    assert ledger.claim(row_id) is None


def test_a_claim_that_was_taken_over_is_reported_as_lost_and_not_renewed(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id, other_id = harness.submit("passport", "a"), harness.submit("passport", "b")
    old, other = claimed(ledger, row_id), claimed(ledger, other_id)
    end_lease(ledger, row_id)
    claimed(ledger, row_id)
    before, due_before = stored(ledger, row_id), due(ledger, row_id)
    end_lease(ledger, other_id)

    lost = ledger.renewing({row_id: old.row.fence, other_id: other.row.fence}).now()

    assert lost == {row_id}
    assert (stored(ledger, row_id), due(ledger, row_id)) == (before, due_before)
    assert harness.row(other_id).lease > other.now
    with pytest.raises(StaleFence):
        release(ledger, old)


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DONE])
def test_a_released_claim_is_not_renewed(
    harness: Harness, ledger: WorkLedger, state: State
) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)
    after = replace(claim.row, state=state, due=0 if state is State.DONE else claim.now)
    ledger.committing(claim.row, after, (), claim.now, keep=False).now()
    before, due_before = stored(ledger, row_id), due(ledger, row_id)

    lost = renew(ledger, claim)

    assert lost == {row_id}
    assert (stored(ledger, row_id), due(ledger, row_id)) == (before, due_before)


def test_renewal_does_not_recreate_a_deleted_row(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)
    ledger._redis.delete(ledger.keys.row(row_id))
    ledger._redis.zrem(ledger.keys.due, row_id)

    assert renew(ledger, claim) == {row_id}
    assert stored(ledger, row_id) == {}
    assert due(ledger, row_id) is None


class TestAfterAnOutage:
    """Redis was away for longer than a lease: no worker has swept, and all leases have ended."""

    def away(self, ledger: WorkLedger) -> None:
        seconds, micros = ledger._redis.time()
        now = int(seconds) * 1000 + int(micros) // 1000
        ledger._redis.set(ledger.keys.swept, now - GAP_MS - 1)

    def test_a_living_holder_gets_its_ended_lease_back_before_anybody_takes_it_over(
        self, harness: Harness, ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        claim = claimed(ledger, row_id)
        self.away(ledger)
        end_lease(ledger, row_id)

        before = ledger.claim(row_id)
        lost = renew(ledger, claim)
        after = ledger.claim(row_id)

        assert before is after is None
        assert lost == frozenset()
        row = harness.row(row_id)
        assert (row.fence, row.crashes) == (claim.row.fence, 0)
        assert due(ledger, row_id) == row.lease
        done = replace(claim.row, state=State.DONE, due=0)
        ledger.committing(claim.row, done, ("done",), claim.now, keep=False).now()
        assert harness.read(row_id).state is State.DONE


class TestHeldClaims:
    def test_a_process_renews_only_the_claims_that_it_holds(
        self, harness: Harness, ledger: WorkLedger
    ) -> None:
        kept, dropped = (claimed(ledger, harness.submit("passport", key)) for key in "ab")
        leases = Leases(ledger)
        assert leases.renewing() is None
        for claim in (kept, dropped):
            leases.hold(claim.row)
            end_lease(ledger, claim.row.id)
        leases.drop(dropped.row)

        renewal = leases.renewing()

        assert renewal is not None
        assert renewal.now() == frozenset()
        assert harness.row(kept.row.id).lease > kept.now
        assert harness.row(dropped.row.id).lease < dropped.now

    def test_the_end_of_a_run_that_lost_its_claim_drops_no_later_claim(
        self, harness: Harness, ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        leases = Leases(ledger)
        old = claimed(ledger, row_id)
        leases.hold(old.row)
        end_lease(ledger, row_id)
        new = claimed(ledger, row_id)
        leases.hold(new.row)

        leases.drop(old.row)

        assert leases.renewing() is not None
        leases.drop(new.row)
        assert leases.renewing() is None
