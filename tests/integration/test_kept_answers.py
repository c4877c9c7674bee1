"""What the vendor answered stays, whatever comes between the answer and the row."""

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
    """Return the engine's way to Redis."""
    run: Any = harness.parts.engine._run
    return run.__self__._tools.redis


class BatchConnection:
    """The way to Redis; the next commits, but `let`, are answered by an error, done or not."""

    def __init__(self, harness: Harness, *, away: int, done: bool, let: int = 0) -> None:
        self._through: Callable[..., list[Any]] = redis_batch(harness)._call_all
        self.script = harness.parts.ledger._commit
        self.let = let
        self.away = away
        self.done = done

    def call_all(self, asks: Sequence[ScriptCall[Any]]) -> list[Any]:
        (ask,) = asks
        if ask.script is not self.script or not self.away:
            return self._through(asks)
        if self.let:
            self.let -= 1
            return self._through(asks)
        self.away -= 1
        if self.done:
            self._through(asks)
        return [redis.ConnectionError("away")]


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_commit_is_repeated_until_it_is_confirmed(harness: Harness, done: bool) -> None:
    row_id = harness.submit("passport")
    line = BatchConnection(harness, away=2, done=done)
    redis_batch(harness)._call_all = line.call_all

    ended = harness.run_once(row_id)

    assert line.away == 0
    assert (ended.state, ended.attempts) == (State.DONE, 1)
    assert len(harness.vendor.charges("passport")) == 1
    assert harness.changes() == ["done"]


def test_a_claim_given_back_twice_leaves_what_came_in_between(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("digilocker")
    claim = ledger.claim(row_id)
    assert claim is not None
    later = replace(claim.row, state=State.PENDING, due=claim.now + 60_000)

    for _ in range(2):
        ledger.committing(claim.row, later, ("link_ready",), claim.now, keep=False, alias="").now()
        ledger.hint(row_id, asked=True)
        hinted = harness.row(row_id)

    assert hinted.due < claim.now + 60_000
    assert harness.changes() == ["link_ready"]


def test_a_claim_that_was_given_back_sends_nothing(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    claim = ledger.claim(row_id)
    assert claim is not None
    ledger.committing(claim.row, claim.row, (), claim.now, keep=False, alias="").now()

    with pytest.raises(StaleFence):
        ledger.committing(claim.row, claim.row, (), claim.now, keep=True, alias="").now()


class TestAfterAFailoverThatLostAClaim:
    """Two workers have the same fence: the new master didn't know of the first claim."""

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

    def test_an_answer_is_written_over_what_the_other_set_aside(
        self, harness: Harness, ledger: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        first, second = self.claim_twice(harness, row_id)
        self.end(ledger, second, State.PARKED)

        self.end(ledger, first, State.DONE)

        assert harness.read(row_id).state is State.DONE

    def test_an_end_stays_what_it_is(self, harness: Harness, ledger: WorkLedger) -> None:
        row_id = harness.submit("passport")
        first, second = self.claim_twice(harness, row_id)
        self.end(ledger, first, State.DONE)

        with pytest.raises(StaleFence):
            self.end(ledger, second, State.PARKED)

        assert harness.read(row_id).state is State.DONE

    def end(self, ledger: WorkLedger, claim: Claim, state: State) -> None:
        after = replace(claim.row, state=state, due=0)
        ledger.committing(claim.row, after, (state.lower(),), claim.now, keep=False, alias="").now()


class TestAfterAnOutage:
    GAP, GRACE = 10_000, 60_000

    @pytest.fixture
    def held(self, harness: Harness) -> WorkLedger:
        outage = Outage(gap=self.GAP, grace=self.GRACE)
        shared = harness.parts.ledger
        return WorkLedger(harness.redis, shared.keys, shared.ring, 1, shared.lives, outage)

    def sweep_before(self, harness: Harness, ms: int) -> int:
        """Let the last sweep be so long ago; return the time now (ms)."""
        ledger = harness.parts.ledger
        now = ledger.now()
        harness.redis.set(ledger.keys.swept, now - ms)
        return now

    def look(self, harness: Harness, *, lived: bool = True, gap: int = GAP) -> None:
        """Sweep, as a worker that lived through the outage or as one that has just begun."""
        keys, mark = harness.parts.ledger.keys, load(harness.redis, "worker", "mark")
        mark(keys=[keys.swept, keys.server], args=[gap, "", 0, int(lived)])

    def due(self, harness: Harness, row_id: str) -> int:
        return int(harness.redis.zscore(harness.parts.ledger.keys.due, row_id) or 0)

    def test_an_ended_claim_is_left_to_its_holder_for_a_while(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        claim = held.claim(row_id)
        assert claim is not None
        now = self.sweep_before(harness, self.GAP + 1_000)

        before_anybody_swept = held.claim(row_id)
        self.look(harness)
        after = held.claim(row_id)

        assert before_anybody_swept is after is None
        assert self.due(harness, row_id) >= now + self.GRACE
        done = replace(claim.row, state=State.DONE, due=0)
        held.committing(claim.row, done, ("done",), now, keep=False, alias="").now()
        assert harness.read(row_id).state is State.DONE

    @pytest.mark.parametrize(("lived", "crashes"), [(True, 0), (False, 1)])
    def test_when_that_is_over_it_is_taken_over_and_is_a_crash_only_if_no_worker_lived_on(
        self, harness: Harness, held: WorkLedger, lived: bool, crashes: int
    ) -> None:
        row_id = harness.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        self.look(harness, lived=lived)
        harness.redis.hset(held.keys.row(row_id), "lease", now - 1)
        harness.redis.hset(held.keys.server, "back", now - self.GRACE)

        taken = held.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, crashes)

    def test_without_an_outage_it_is_taken_over_at_once(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        held.claim(row_id)
        self.sweep_before(harness, self.GAP - 5_000)
        self.look(harness, lived=False)

        taken = held.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, 1)

    def test_only_a_worker_that_swept_before_was_cut_off(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        clock, client, cut = [0.0], harness.redis, []
        old, new = (
            Marker(
                client,
                held.keys,
                harness.parts.admission.limiter,
                RedisClock(),
                self.GAP,
                lambda: clock[0],
            )
            for _ in range(2)
        )
        for marker, clock[0] in ((old, 0.0), (old, 5.0), (new, 20.0), (old, 20.0)):
            marker.mark()
            cut.append(client.hexists(held.keys.server, "cut"))

        assert cut == [False, False, False, True]

    def test_an_outage_soon_after_another_gives_holders_their_chance_too(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        outage = Outage(2 * self.GRACE, self.GRACE)
        ledger = WorkLedger(harness.redis, held.keys, held.ring, 1, held.lives, outage)
        row_id = harness.submit("passport")
        ledger.claim(row_id)
        now = self.sweep_before(harness, ledger.outage.gap + 1_000)
        over = now - self.GRACE - 1_000
        harness.redis.hset(ledger.keys.server, mapping={"back": over, "since": over})

        self.look(harness, gap=ledger.outage.gap)

        assert ledger.claim(row_id) is None

    def test_a_series_of_outages_over_minutes_gives_holders_their_chance_after_each(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        series = {"back": now - 2 * self.GAP, "since": now - 40 * self.GAP}
        harness.redis.hset(held.keys.server, mapping=series)

        self.look(harness)

        assert held.claim(row_id) is None

    def test_sweeps_that_are_always_slow_put_it_off_for_a_while_only(
        self, harness: Harness, held: WorkLedger
    ) -> None:
        row_id = harness.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(harness, self.GAP + 1_000)
        self.look(harness)
        begun = now - 60 * self.GAP - self.GRACE - 1
        harness.redis.hset(held.keys.server, "since", begun)

        self.sweep_before(harness, self.GAP + 1_000)
        self.look(harness)

        assert held.claim(row_id) is not None
        assert int(harness.redis.hget(held.keys.server, "since") or 0) == begun


class TestAReadThatHasToWait:
    def use_up(self, harness: Harness, route: str, limit: int) -> None:
        """Take all but `limit` - 1 calls of a route's window."""
        row = Row(id="somebody-else", kind="digilocker")
        assert isinstance(harness.parts.admission.limiter.admit(row, route, limit).now(), Admitted)

    def test_keeps_the_documents_that_were_fetched_before_it(
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
    def test_keeps_them_when_redis_is_away_at_its_admission(
        self, harness: Harness, done: bool
    ) -> None:
        row_id = harness.submit("digilocker")
        harness.run_once(row_id)
        harness.vendor.post(f"journeys/{row_id}", decision="allow")
        line = BatchConnection(harness, away=1, done=done, let=2)
        line.script = harness.parts.admission.limiter._admit_and_commit
        redis_batch(harness)._call_all = line.call_all
        harness.parts.check_status(row_id)

        row = harness.row(row_id)
        ended = harness.settle(row_id)

        assert (row.state, row.reason, len(row.todo)) == (State.PENDING, "redis_away", 1)
        assert (row.lease, row.crashes, line.away) == (0, 0, 0)
        assert ended.state is State.DONE
        assert len((ended.result or {})["documents"]) == 2

    def test_is_noted_by_its_true_reason_and_no_doubt(
        self, redis_url: str, sandbox: Sandbox
    ) -> None:
        quota = "digilocker_status=1"
        harness = Harness(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=quota)
        row_id = harness.submit("digilocker")
        harness.vendor.post("faults", route="digilocker", status=500, executed=True)
        doubtful = harness.run_once(row_id)
        self.use_up(harness, "digilocker_status", 1)
        # The read by which the doubt would be resolved says that nothing is known; so the same id
        # is sent again, is a duplicate, and has to be read once more.
        harness.redis.hset(
            harness.parts.ledger.keys.row(row_id), mapping={"state": "ACCEPTED", "due": 1}
        )

        waiting = harness.run_once(row_id)

        assert (doubtful.state, harness.row(row_id).doubts) == (State.UNKNOWN, 1)
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
