"""A vendor's answer is stored in its row, whatever fails between the two."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from satyapan import State
from satyapan.records import Row
from satyapan.redis.script_calls import ScriptCall
from satyapan.redis.scripts import load
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness
from worker.admission.limiter import Admitted
from worker.admission.redis_clock import RedisClock
from worker.ledger.work_ledger import Claim, Outage, StaleFence, WorkLedger
from worker.maintenance.marker import Marker


@pytest.fixture
def ledger(harness: Harness) -> WorkLedger:
    return harness.parts.ledger


def redis_batch(harness: Harness) -> Any:
    """Return the object through which the engine calls Redis."""
    run: Any = harness.parts.engine._run
    return run.__self__._tools.redis


class FailingConnection:
    """Calls Redis; after `passing` commits, the next `failures` get an error, executed or not."""

    def __init__(self, harness: Harness, *, failures: int, done: bool, passing: int = 0) -> None:
        self._call_all: Callable[..., list[Any]] = redis_batch(harness)._call_all
        self.script = harness.parts.ledger._commit
        self.passing = passing
        self.failures = failures
        self.done = done

    def call_all(self, calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        (call,) = calls
        if call.script is not self.script or not self.failures:
            return self._call_all(calls)
        if self.passing:
            self.passing -= 1
            return self._call_all(calls)
        self.failures -= 1
        if self.done:
            self._call_all(calls)
        return [redis.ConnectionError("away")]


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_commit_is_repeated_until_it_is_confirmed(harness: Harness, done: bool) -> None:
    row_id = harness.submit("passport")
    connection = FailingConnection(harness, failures=2, done=done)
    redis_batch(harness)._call_all = connection.call_all

    ended = harness.run_once(row_id)

    assert connection.failures == 0
    assert (ended.state, ended.attempts) == (State.DONE, 1)
    assert len(harness.vendor.charges("passport")) == 1
    assert harness.changes() == ["done"]


def test_releasing_a_claim_twice_keeps_a_hint_that_came_in_between(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("digilocker")
    claim = ledger.claim(row_id)
    assert claim is not None
    later = replace(claim.row, state=State.PENDING, due=claim.now + 60_000)

    for _ in range(2):
        ledger.committing(claim.row, later, ("link_ready",), claim.now, keep=False).now()
        ledger.hint(row_id, asked=True)
        hinted = harness.row(row_id)

    assert hinted.due < claim.now + 60_000
    assert harness.changes() == ["link_ready"]


def test_a_released_claim_cannot_commit_again(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    claim = ledger.claim(row_id)
    assert claim is not None
    ledger.committing(claim.row, claim.row, (), claim.now, keep=False).now()

    with pytest.raises(StaleFence):
        ledger.committing(claim.row, claim.row, (), claim.now, keep=True).now()


class TestAfterAFailoverThatLostAClaim:
    """Two workers have the same fence, because the new master lacks the first claim."""

    def claim_twice(self, harness: Harness, row_id: str) -> tuple[Claim, Claim]:
        client, ledger = harness.redis, harness.parts.ledger
        key = ledger.keys.row(row_id)
        before, due = client.dump(key), client.zscore(ledger.keys.due, row_id)
        first = ledger.claim(row_id)
        client.restore(key, 0, before, replace=True)
        client.zadd(ledger.keys.due, {row_id: due})
        second = ledger.claim(row_id)
        assert first is not None
        assert second is not None
        assert first.row.fence == second.row.fence
        return first, second

    def test_an_answer_replaces_the_parked_state_of_the_other_claim(
        self, harness: Harness, ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        first, second = self.claim_twice(harness, row_id)
        self.end(ledger, second, State.PARKED)

        self.end(ledger, first, State.DONE)

        assert harness.read(row_id).state is State.DONE

    def test_a_final_state_is_not_replaced(self, harness: Harness, ledger: WorkLedger) -> None:
        row_id = harness.submit("passport")
        first, second = self.claim_twice(harness, row_id)
        self.end(ledger, first, State.DONE)

        with pytest.raises(StaleFence):
            self.end(ledger, second, State.PARKED)

        assert harness.read(row_id).state is State.DONE

    def end(self, ledger: WorkLedger, claim: Claim, state: State) -> None:
        after = replace(claim.row, state=state, due=0)
        ledger.committing(claim.row, after, (state.lower(),), claim.now, keep=False).now()


class TestAfterAnOutage:
    GAP, GRACE = 10_000, 60_000

    @pytest.fixture
    def outage_ledger(self, harness: Harness) -> WorkLedger:
        outage = Outage(gap=self.GAP, grace=self.GRACE)
        shared = harness.parts.ledger
        return WorkLedger(harness.redis, shared.keys, shared.ring, 1, shared.lives, outage)

    def sweep_before(self, harness: Harness, ms: int) -> int:
        """Set the time of the last sweep to this long ago; return the time now (ms)."""
        ledger = harness.parts.ledger
        now = ledger.now()
        harness.redis.set(ledger.keys.swept, now - ms)
        return now

    def sweep(self, harness: Harness, *, lived: bool = True, gap: int = GAP) -> None:
        """Sweep as a worker that ran during the outage, or as one that has just started."""
        keys, mark = harness.parts.ledger.keys, load(harness.redis, "worker", "mark")
        mark(keys=[keys.swept, keys.server], args=[gap, "", 0, int(lived)])

    def due(self, harness: Harness, row_id: str) -> int:
        return int(harness.redis.zscore(harness.parts.ledger.keys.due, row_id) or 0)

    def test_an_ended_claim_is_left_to_its_holder_for_a_while(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        claim = outage_ledger.claim(row_id)
        assert claim is not None
        now = self.sweep_before(harness, self.GAP + 1_000)

        before_anybody_swept = outage_ledger.claim(row_id)
        self.sweep(harness)
        after = outage_ledger.claim(row_id)

        assert before_anybody_swept is after is None
        assert self.due(harness, row_id) >= now + self.GRACE
        done = replace(claim.row, state=State.DONE, due=0)
        outage_ledger.committing(claim.row, done, ("done",), now, keep=False).now()
        assert harness.read(row_id).state is State.DONE

    @pytest.mark.parametrize(("lived", "crashes"), [(True, 0), (False, 1)])
    def test_after_the_grace_it_is_taken_over_as_a_crash_only_if_no_worker_survived(
        self, harness: Harness, outage_ledger: WorkLedger, lived: bool, crashes: int
    ) -> None:
        row_id = harness.submit("passport")
        outage_ledger.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        self.sweep(harness, lived=lived)
        harness.redis.hset(outage_ledger.keys.row(row_id), "lease", now - 1)
        harness.redis.hset(outage_ledger.keys.server, "back", now - self.GRACE)

        taken = outage_ledger.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, crashes)

    def test_without_an_outage_an_ended_claim_is_taken_over_at_once(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        outage_ledger.claim(row_id)
        self.sweep_before(harness, self.GAP - 5_000)
        self.sweep(harness, lived=False)

        taken = outage_ledger.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, 1)

    def test_only_a_worker_that_had_swept_before_counts_as_cut_off(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        clock, client, cut = [0.0], harness.redis, []
        old, new = (
            Marker(
                client,
                outage_ledger.keys,
                harness.parts.admission.limiter,
                RedisClock(),
                self.GAP,
                lambda: clock[0],
            )
            for _ in range(2)
        )
        for marker, clock[0] in ((old, 0.0), (old, 5.0), (new, 20.0), (old, 20.0)):
            marker.mark()
            cut.append(client.hexists(outage_ledger.keys.server, "cut"))

        assert cut == [False, False, False, True]

    def test_the_grace_applies_again_to_an_outage_soon_after_another(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        outage = Outage(2 * self.GRACE, self.GRACE)
        ledger = WorkLedger(
            harness.redis, outage_ledger.keys, outage_ledger.ring, 1, outage_ledger.lives, outage
        )
        row_id = harness.submit("passport")
        ledger.claim(row_id)
        now = self.sweep_before(harness, ledger.outage.gap + 1_000)
        over = now - self.GRACE - 1_000
        harness.redis.hset(ledger.keys.server, mapping={"back": over, "since": over})

        self.sweep(harness, gap=ledger.outage.gap)

        assert ledger.claim(row_id) is None

    def test_the_grace_applies_after_each_of_a_series_of_outages(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        outage_ledger.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        series = {"back": now - 2 * self.GAP, "since": now - 40 * self.GAP}
        harness.redis.hset(outage_ledger.keys.server, mapping=series)

        self.sweep(harness)

        assert outage_ledger.claim(row_id) is None

    def test_permanently_slow_sweeps_delay_the_takeover_for_a_bounded_time(
        self, harness: Harness, outage_ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        outage_ledger.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        self.sweep(harness)
        begun = now - 60 * self.GAP - self.GRACE - 1
        harness.redis.hset(outage_ledger.keys.server, "since", begun)

        self.sweep_before(harness, self.GAP + 1_000)
        self.sweep(harness)

        assert outage_ledger.claim(row_id) is not None
        assert int(harness.redis.hget(outage_ledger.keys.server, "since") or 0) == begun


class TestAReadThatHasToWait:
    def use_up(self, harness: Harness, route: str, limit: int) -> None:
        """Take a slot of a route's window."""
        row = Row(id="somebody-else", kind="digilocker")
        assert isinstance(harness.parts.admission.limiter.admit(row, route, limit).now(), Admitted)

    def test_a_read_that_waits_for_quota_keeps_the_documents_fetched_before_it(
        self, redis_url: str, sandbox: Sandbox
    ) -> None:
        quota = "digilocker_document=1"
        harness = Harness(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=quota)
        row_id = harness.submit("digilocker")
        harness.run_once(row_id)
        harness.vendor.post(f"journeys/{row_id}", decision="allow")
        harness.parts.check_status(row_id)

        row = harness.row(row_id)

        assert (row.state, row.reason, len(row.todo)) == (State.PENDING, "quota", 1)
        assert row.draft is not None
        assert len(row.draft["documents"]) == 1

    @pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
    def test_fetched_documents_are_kept_if_redis_is_away_at_the_next_admission(
        self, harness: Harness, done: bool
    ) -> None:
        row_id = harness.submit("digilocker")
        harness.run_once(row_id)
        harness.vendor.post(f"journeys/{row_id}", decision="allow")
        connection = FailingConnection(harness, failures=1, done=done, passing=2)
        connection.script = harness.parts.admission.limiter._admit_and_commit
        redis_batch(harness)._call_all = connection.call_all
        harness.parts.check_status(row_id)

        row = harness.row(row_id)
        ended = harness.settle(row_id)

        assert (row.state, row.reason, len(row.todo)) == (State.PENDING, "redis_away", 1)
        assert (row.lease, row.crashes, connection.failures) == (0, 0, 0)
        assert ended.state is State.DONE
        assert len((ended.result or {})["documents"]) == 2

    def test_a_read_that_waits_for_quota_is_not_an_ambiguous_attempt(
        self, redis_url: str, sandbox: Sandbox
    ) -> None:
        quota = "digilocker_status=1"
        harness = Harness(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=quota)
        row_id = harness.submit("digilocker")
        harness.vendor.post("faults", route="digilocker", status=500, executed=True)
        unknown = harness.run_once(row_id)
        self.use_up(harness, "digilocker_status", 1)
        # The read that would resolve the ambiguous attempt finds nothing; so the same id is sent
        # again, is a duplicate, and has to be read once more.
        harness.redis.hset(
            harness.parts.ledger.keys.row(row_id), mapping={"state": "ACCEPTED", "due": 1}
        )

        waiting = harness.run_once(row_id)

        assert (unknown.state, harness.row(row_id).ambiguous) == (State.UNKNOWN, 1)
        assert (waiting.state, waiting.reason) == (State.UNKNOWN, "quota")


def test_a_journey_whose_row_was_lost_goes_on_under_a_recorded_generation(
    harness: Harness,
) -> None:
    row_id = harness.submit("digilocker")
    first = harness.run_once(row_id)
    harness.redis.flushdb()

    assert harness.submit("digilocker") == row_id
    again = harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}.g2", decision="allow")
    ended = harness.settle(row_id)

    assert again.state is State.PENDING
    assert again.link not in {"", first.link}
    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert harness.row(row_id).generations[0].startswith("2 foreign_duplicate ")
    assert harness.changes() == ["reissued", "link_ready", "done"]
