"""What the vendor answered stays, whatever comes between the answer and the row."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from satyapan import State
from satyapan.asking import Ask
from satyapan.records import Row
from satyapan.scripts import load
from tests.conftest import Sandbox
from tests.support.workbench import Workbench
from worker.admission.admission import Go
from worker.admission.redis_clock import RedisClock
from worker.ledger.work_ledger import Claim, Outage, StaleFence, WorkLedger
from worker.maintenance.marker import Marker


@pytest.fixture
def ledger(bench: Workbench) -> WorkLedger:
    return bench.parts.ledger


def redis_batch(bench: Workbench) -> Any:
    """Return the engine's way to Redis."""
    run: Any = bench.parts.engine._run
    return run.__self__._tools.redis


class Line:
    """The way to Redis; the next commits, but `let`, are answered by an error, done or not."""

    def __init__(self, bench: Workbench, *, away: int, done: bool, let: int = 0) -> None:
        self._through: Callable[..., list[Any]] = redis_batch(bench)._call_all
        self.script = bench.parts.ledger._commit
        self.let = let
        self.away = away
        self.done = done

    def ask_all(self, asks: Sequence[Ask[Any]]) -> list[Any]:
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
def test_a_commit_is_repeated_until_it_is_confirmed(bench: Workbench, done: bool) -> None:
    row_id = bench.submit("passport")
    line = Line(bench, away=2, done=done)
    redis_batch(bench)._call_all = line.ask_all

    ended = bench.once(row_id)

    assert line.away == 0
    assert (ended.state, ended.attempts) == (State.DONE, 1)
    assert len(bench.vendor.charges("passport")) == 1
    assert bench.changes() == ["done"]


def test_a_claim_given_back_twice_leaves_what_came_in_between(
    bench: Workbench, ledger: WorkLedger
) -> None:
    row_id = bench.submit("digilocker")
    claim = ledger.claim(row_id)
    assert claim is not None
    later = replace(claim.row, state=State.PENDING, due=claim.now + 60_000)

    for _ in range(2):
        ledger.commit(claim.row, later, ("link_ready",), claim.now, keep=False, alias="")
        ledger.hint(row_id, asked=True)
        hinted = bench.row(row_id)

    assert hinted.due < claim.now + 60_000
    assert bench.changes() == ["link_ready"]


def test_a_claim_that_was_given_back_sends_nothing(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    claim = ledger.claim(row_id)
    assert claim is not None
    ledger.commit(claim.row, claim.row, (), claim.now, keep=False, alias="")

    with pytest.raises(StaleFence):
        ledger.commit(claim.row, claim.row, (), claim.now, keep=True, alias="")


class TestAfterAFailoverThatLostAClaim:
    """Two workers have the same fence: the new master didn't know of the first claim."""

    def claim_twice(self, bench: Workbench, row_id: str) -> tuple[Claim, Claim]:
        client, ledger = bench.redis, bench.parts.ledger
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
        self, bench: Workbench, ledger: WorkLedger
    ) -> None:
        row_id = bench.submit("passport")
        first, second = self.claim_twice(bench, row_id)
        self.end(ledger, second, State.PARKED)

        self.end(ledger, first, State.DONE)

        assert bench.look(row_id).state is State.DONE

    def test_an_end_stays_what_it_is(self, bench: Workbench, ledger: WorkLedger) -> None:
        row_id = bench.submit("passport")
        first, second = self.claim_twice(bench, row_id)
        self.end(ledger, first, State.DONE)

        with pytest.raises(StaleFence):
            self.end(ledger, second, State.PARKED)

        assert bench.look(row_id).state is State.DONE

    def end(self, ledger: WorkLedger, claim: Claim, state: State) -> None:
        after = replace(claim.row, state=state, due=0)
        ledger.commit(claim.row, after, (state.lower(),), claim.now, keep=False, alias="")


class TestAfterAnOutage:
    GAP, GRACE = 10_000, 60_000

    @pytest.fixture
    def held(self, bench: Workbench) -> WorkLedger:
        outage = Outage(gap=self.GAP, grace=self.GRACE)
        shared = bench.parts.ledger
        return WorkLedger(bench.redis, shared.keys, shared.ring, 1, shared.lives, outage)

    def sweep_before(self, bench: Workbench, ms: int) -> int:
        """Let the last sweep be so long ago; return the time now (ms)."""
        ledger = bench.parts.ledger
        now = ledger.now()
        bench.redis.set(ledger.keys.swept, now - ms)
        return now

    def look(self, bench: Workbench, *, lived: bool = True, gap: int = GAP) -> None:
        """Sweep, as a worker that lived through the outage or as one that has just begun."""
        keys, mark = bench.parts.ledger.keys, load(bench.redis, "worker", "mark")
        mark(keys=[keys.swept, keys.server], args=[gap, "", 0, int(lived)])

    def due(self, bench: Workbench, row_id: str) -> int:
        return int(bench.redis.zscore(bench.parts.ledger.keys.due, row_id) or 0)

    def test_an_ended_claim_is_left_to_its_holder_for_a_while(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        row_id = bench.submit("passport")
        claim = held.claim(row_id)
        assert claim is not None
        now = self.sweep_before(bench, self.GAP + 1_000)

        before_anybody_swept = held.claim(row_id)
        self.look(bench)
        after = held.claim(row_id)

        assert before_anybody_swept is after is None
        assert self.due(bench, row_id) >= now + self.GRACE
        done = replace(claim.row, state=State.DONE, due=0)
        held.commit(claim.row, done, ("done",), now, keep=False, alias="")
        assert bench.look(row_id).state is State.DONE

    @pytest.mark.parametrize(("lived", "crashes"), [(True, 0), (False, 1)])
    def test_when_that_is_over_it_is_taken_over_and_is_a_crash_only_if_no_worker_lived_on(
        self, bench: Workbench, held: WorkLedger, lived: bool, crashes: int
    ) -> None:
        row_id = bench.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(bench, self.GAP + 1_000)
        self.look(bench, lived=lived)
        bench.redis.hset(held.keys.row(row_id), "lease", now - 1)
        bench.redis.hset(held.keys.server, "back", now - self.GRACE)

        taken = held.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, crashes)

    def test_without_an_outage_it_is_taken_over_at_once(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        row_id = bench.submit("passport")
        held.claim(row_id)
        self.sweep_before(bench, self.GAP - 5_000)
        self.look(bench, lived=False)

        taken = held.claim(row_id)

        assert taken is not None
        assert (taken.row.fence, taken.row.crashes) == (2, 1)

    def test_only_a_worker_that_swept_before_was_cut_off(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        clock, client, cut = [0.0], bench.redis, []
        old, new = (
            Marker(client, held.keys, bench.parts.gate, RedisClock(), self.GAP, lambda: clock[0])
            for _ in range(2)
        )
        for marker, clock[0] in ((old, 0.0), (old, 5.0), (new, 20.0), (old, 20.0)):
            marker.mark()
            cut.append(client.hexists(held.keys.server, "cut"))

        assert cut == [False, False, False, True]

    def test_an_outage_soon_after_another_gives_holders_their_chance_too(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        outage = Outage(2 * self.GRACE, self.GRACE)
        ledger = WorkLedger(bench.redis, held.keys, held.ring, 1, held.lives, outage)
        row_id = bench.submit("passport")
        ledger.claim(row_id)
        now = self.sweep_before(bench, ledger.outage.gap + 1_000)
        over = now - self.GRACE - 1_000
        bench.redis.hset(ledger.keys.server, mapping={"back": over, "since": over})

        self.look(bench, gap=ledger.outage.gap)

        assert ledger.claim(row_id) is None

    def test_a_series_of_outages_over_minutes_gives_holders_their_chance_after_each(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        row_id = bench.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(bench, self.GAP + 1_000)
        series = {"back": now - 2 * self.GAP, "since": now - 40 * self.GAP}
        bench.redis.hset(held.keys.server, mapping=series)

        self.look(bench)

        assert held.claim(row_id) is None

    def test_sweeps_that_are_always_slow_put_it_off_for_a_while_only(
        self, bench: Workbench, held: WorkLedger
    ) -> None:
        row_id = bench.submit("passport")
        held.claim(row_id)
        now = self.sweep_before(bench, self.GAP + 1_000)
        self.look(bench)
        begun = now - 60 * self.GAP - self.GRACE - 1
        bench.redis.hset(held.keys.server, "since", begun)

        self.sweep_before(bench, self.GAP + 1_000)
        self.look(bench)

        assert held.claim(row_id) is not None
        assert int(bench.redis.hget(held.keys.server, "since") or 0) == begun


class TestAReadThatHasToWait:
    def use_up(self, bench: Workbench, route: str, limit: int) -> None:
        """Take all but `limit` - 1 calls of a route's window."""
        row = Row(id="somebody-else", kind="digilocker")
        assert isinstance(bench.parts.gate.entering(row, route, limit).now(), Go)

    def test_keeps_the_documents_that_were_fetched_before_it(
        self, redis_url: str, sandbox: Sandbox
    ) -> None:
        quota = "digilocker-document=1"
        bench = Workbench(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=quota)
        row_id = bench.submit("digilocker")
        bench.once(row_id)
        bench.vendor.post(f"journeys/{row_id}", decision="allow")
        bench.parts.look(row_id)

        row = bench.row(row_id)

        assert (row.state, row.reason, len(row.todo)) == (State.PENDING, "quota", 1)
        assert row.draft is not None
        assert len(row.draft["documents"]) == 1

    @pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
    def test_keeps_them_when_redis_is_away_at_its_admission(
        self, bench: Workbench, done: bool
    ) -> None:
        row_id = bench.submit("digilocker")
        bench.once(row_id)
        bench.vendor.post(f"journeys/{row_id}", decision="allow")
        line = Line(bench, away=1, done=done, let=2)
        line.script = bench.parts.gate._pass
        redis_batch(bench)._call_all = line.ask_all
        bench.parts.look(row_id)

        row = bench.row(row_id)
        ended = bench.settle(row_id)

        assert (row.state, row.reason, len(row.todo)) == (State.PENDING, "redis_away", 1)
        assert (row.lease, row.crashes, line.away) == (0, 0, 0)
        assert ended.state is State.DONE
        assert len((ended.result or {})["documents"]) == 2

    def test_is_noted_by_its_true_reason_and_no_doubt(
        self, redis_url: str, sandbox: Sandbox
    ) -> None:
        quota = "digilocker-status=1"
        bench = Workbench(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=quota)
        row_id = bench.submit("digilocker")
        bench.vendor.post("faults", route="digilocker", status=500, executed=True)
        doubtful = bench.once(row_id)
        self.use_up(bench, "digilocker-status", 1)
        # The read by which the doubt would be resolved says that nothing is known; so the same id
        # is sent again, is a duplicate, and has to be read once more.
        bench.redis.hset(
            bench.parts.ledger.keys.row(row_id), mapping={"state": "ACCEPTED", "due": 1}
        )

        waiting = bench.once(row_id)

        assert (doubtful.state, bench.row(row_id).doubts) == (State.UNKNOWN, 1)
        assert (waiting.state, waiting.reason) == (State.UNKNOWN, "quota")


def test_a_journey_whose_row_was_lost_goes_on_under_a_recorded_generation(
    bench: Workbench,
) -> None:
    row_id = bench.submit("digilocker")
    first = bench.once(row_id)
    bench.redis.flushdb()

    assert bench.submit("digilocker") == row_id
    again = bench.once(row_id)
    bench.vendor.post(f"journeys/{row_id}.g2", decision="allow")
    ended = bench.settle(row_id)

    assert again.state is State.PENDING
    assert again.link not in {"", first.link}
    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert bench.row(row_id).generations[0].startswith("2 foreign_duplicate ")
    assert bench.changes() == ["reissued", "link_ready", "done"]
