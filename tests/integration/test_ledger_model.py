"""The ledger's scripts agree with a plain Python model after any order of steps."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from satyapan.names import Keys
from satyapan.records import SETTLED, Row, State
from satyapan.sealing import KeyRing
from worker.ledger.work_ledger import Claim, Lives, StaleFence, WorkLedger

NAMES = st.sampled_from(["a", "b", "c"])
HOUR = 3_600_000
RESTING = [State.ACCEPTED, State.PENDING, State.UNKNOWN]


@dataclass
class Known:
    """The model of a row."""

    state: State
    fence: int = 0
    held: bool = False
    """Its lease has not ended."""
    leased: bool = False
    """It has a lease, which may have ended: the claim was not released."""
    ready: bool = True
    hinted: bool = False
    """A status check was requested while it had a lease."""


class LedgerMachine(RuleBasedStateMachine):
    """Takes steps in any order; the test sets `client`."""

    client: ClassVar["redis.Redis"]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.keys = Keys("m")
        ring = KeyRing({"k": bytes(32)})
        self.ledger = WorkLedger(self.client, self.keys, ring, HOUR, Lives(HOUR, HOUR))
        self.known: dict[str, Known] = {}
        self.claims: list[Claim] = []

    @rule(name=NAMES)
    def insert(self, name: str) -> None:
        found = self.ledger.insert(Row(id=name, kind="passport", digest=name), HOUR)
        assert found.created == (name not in self.known)
        self.known.setdefault(name, Known(State.ACCEPTED))

    @rule(name=NAMES)
    def claim(self, name: str) -> None:
        claim = self.ledger.claim(name)
        known = self.known.get(name)
        free = known and known.ready and not known.held and known.state not in SETTLED
        assert bool(claim) == bool(free)
        if claim and known:
            known.held, known.leased, known.fence = True, True, known.fence + 1
            known.state = State.CLAIMED if known.state is State.ACCEPTED else known.state
            assert (claim.row.fence, claim.row.state) == (known.fence, known.state)
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), keep=st.booleans(), ready=st.booleans())
    def commit(self, data: Any, keep: bool, ready: bool) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        state = data.draw(st.sampled_from([*RESTING, State.DONE, State.PARKED]))
        state = State.SENT if keep else state
        due = claim.now if ready else claim.now + HOUR
        due = 0 if state in SETTLED else due
        known = self.known[claim.row.id]
        fresh = known.fence == claim.row.fence  # an ended lease alone doesn't invalidate a claim
        after = replace(claim.row, state=state, due=due)
        try:
            written = self.ledger.committing(claim.row, after, ["x"], claim.now, keep=keep).now()
        except StaleFence:
            assert not fresh
            return
        assert fresh
        known.state, known.held, known.leased = state, keep, keep
        if not keep:
            known.ready = ready or (known.hinted and state not in SETTLED)
            known.hinted = False
        self.claims.remove(claim)
        if keep:
            self.claims.append(Claim(written, claim.now))

    @rule(name=NAMES)
    def lease_ends(self, name: str) -> None:
        if name in self.known and self.known[name].held:
            self.client.hset(self.keys.row(name), "lease", 1)
            self.known[name].held = False

    @rule(name=NAMES)
    def hint(self, name: str) -> None:
        due = self.ledger.make_due(name)
        known = self.known.get(name)
        hintable = known and known.state in {State.PENDING, State.UNKNOWN}
        assert bool(due) == bool(hintable and known and not known.leased)
        if hintable and known:
            known.hinted = known.leased
            known.ready = known.ready or not known.leased

    @invariant()
    def the_due_index_has_the_open_rows_and_no_others(self) -> None:
        indexed: Any = self.client.zrange(self.keys.due, 0, -1)
        open_rows = {n for n, known in self.known.items() if known.state not in SETTLED}
        assert {raw.decode() for raw in indexed} == open_rows

    @invariant()
    def each_row_is_in_the_index_of_its_state_alone(self) -> None:
        for state in State:
            indexed: Any = self.client.zrange(self.keys.index(state), 0, -1)
            expected = {n for n, known in self.known.items() if known.state is state}
            assert {raw.decode() for raw in indexed} == expected


@pytest.mark.timeout(110)
def test_the_scripts_agree_with_the_model(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        LedgerMachine.client = client
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(max_examples=100, stateful_step_count=40, deadline=None),
        )
