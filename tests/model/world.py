"""A simulated world in memory: rows, the vendor and faults, for thousands of runs of decide().

Between any two steps of a run the world may lose the answer, kill the worker, refuse admission, let
time pass, send a webhook or let a person or the vendor's side act. tests/model/vendor.py has what
the vendor does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from satyapan.kinds import Registry
from satyapan.kinds.model import Mode, Operation, Recovery, Role
from satyapan.records import TERMINAL, Row, State
from tests.model.vendor import Vendor, word
from tests.support.decision_builders import ok
from tests.support.made_up_kinds import MADE_UP
from worker.rules.answer import Answer, Outcome
from worker.rules.calls import admitted, deferred
from worker.rules.decide import decide
from worker.rules.model import (
    Acquire,
    Acquired,
    Answered,
    Cached,
    Call,
    Emit,
    Event,
    Policy,
    Redriven,
    Reissued,
    Woken,
)
from worker.rules.person import ActionRefused

OTHERS: Final = [kind for kind in MADE_UP if kind.operation("cashfree").mode is not Mode.RESOURCE]
KINDS: Final = Registry(OTHERS)
NAMES: Final = ("passport", "digilocker", "static_kyc_link", *(kind.name for kind in OTHERS))
"""The kinds that stories are about: a shipped one or a made-up one for each way to recover."""
POLICY: Final = Policy(
    max_attempts=4,
    max_generations=3,
    lost_answer={kind.name: "reissue" for kind in OTHERS if not kind.name.startswith("sync")},
)
HOUR: Final = 3_600_000
NEVER_REPEATED: Final = frozenset({Recovery.NONE, Recovery.REFERENCE})


class Fate(StrEnum):
    """The outcome of one call."""

    FINE = "fine"
    LOST = "executed, but the answer is lost"
    NAMED = "executed, but the answer is an error that names the reference"
    UNSEEN = "executed, but the answer is lost; a read doesn't find it yet"
    FAILED = "not executed, a 500"
    NAMED_NOTHING = "not executed, an error that names a reference"
    NOT_SENT = "not sent"
    THROTTLED = "429"
    STOPPED = "422"
    NOT_ADMITTED = "no quota left, or a breaker is open"
    REFUSED = "400"
    DIES_BEFORE = "the worker dies before the first byte"
    DIES_AFTER = "the worker dies before it stores the answer"


EXECUTED: Final = frozenset({Fate.FINE, Fate.LOST, Fate.NAMED, Fate.UNSEEN, Fate.DIES_AFTER})
DOUBTFUL: Final = frozenset(
    {*EXECUTED, Fate.FAILED, Fate.NAMED_NOTHING, Fate.DIES_BEFORE} - {Fate.FINE}
)
"""After these a worker can't know if the call was executed."""
_CUT: Final = Answer(outcome=Outcome.UNKNOWN, code="cut")
_ERROR: Final = Answer(outcome=Outcome.UNKNOWN, http=500, code="verification_failed")
_FAULTY: Final = {
    Fate.LOST: _CUT,
    Fate.NAMED: _ERROR,
    Fate.UNSEEN: _CUT,
    Fate.FAILED: _ERROR,
    Fate.NAMED_NOTHING: _ERROR,
    Fate.NOT_SENT: Answer(outcome=Outcome.NOT_SENT, code="connect_failed"),
    Fate.THROTTLED: Answer(outcome=Outcome.THROTTLED, http=429, not_before_s=30),
    Fate.STOPPED: Answer(outcome=Outcome.STOPPED, http=422, code="insufficient_balance"),
    Fate.REFUSED: Answer(outcome=Outcome.REFUSED, http=400, code="dob_value_invalid"),
}


class World:
    """Rows, the vendor, and the events for producers."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self.rows: dict[str, Row] = {}
        self.vendor = Vendor()
        self.owner = ""
        self.events: list[tuple[str, str]] = []
        self.finals: dict[str, Row] = {}
        self.authorised: dict[str, int] = {}
        self.sent: Counter[str] = Counter()
        """Create calls that were admitted, by vendor-side id."""
        self.doubtful: set[str] = set()
        """Vendor-side ids of create calls that may have been executed."""
        self.repeated: list[str] = []
        """Those of them that were called again, though nothing stops a second charge."""

    def submit(self, kind: str, number: int) -> str:
        """Accept a verification, once; return its name."""
        name = f"{kind.replace('/', '-')}-{number}"
        new = Row(id=name, kind=kind, due=self.now, deadline=self.now + 24 * HOUR)
        self.rows.setdefault(name, new)
        return name

    def meet(self, name: str, fates: Sequence[Fate]) -> None:
        """Wake a row when it is due, and again until its calls met all `fates` in this order."""
        ahead = iter(fates)
        for _ in fates or (Fate.FINE,):
            self.wait_for(name)
            self.run(name, ahead)

    def run(self, name: str, ahead: Iterator[Fate]) -> None:
        """Do what one wake-up does. Its calls have the fates `ahead`; further calls succeed."""
        event: Event | None = Woken() if self._claim(name) else None
        for _ in range(40):
            if event is None:
                return
            after, effects = self._decide(self.rows[name], event)
            order = next((e for e in effects if isinstance(e, Call | Acquire)), None)
            if order is None:
                changes = [e.change for e in effects if isinstance(e, Emit)]
                self._write(replace(after, lease=0, crashes=0), changes)
                return
            if isinstance(order, Acquire):
                event = self._acquire(after)
            else:
                event = self._call(after, order, next(ahead, Fate.FINE))
        raise AssertionError(f"the run of {name} never ends")

    def _claim(self, name: str) -> bool:
        row = self.rows[name]
        if row.due == 0 or row.due > self.now or row.lease > self.now:
            return False
        crashes = row.crashes + 1 if row.lease else row.crashes
        state = State.CLAIMED if row.state is State.ACCEPTED else row.state
        self.rows[name] = replace(row, state=state, lease=self.now + 15_000, crashes=crashes)
        return True

    def _call(self, after: Row, order: Call, fate: Fate) -> Answered | None:
        """Return the answer; None ends the run."""
        if fate is Fate.NOT_ADMITTED:
            self._rest(after, 5_000, "quota")
            return None
        row = self.rows[after.id] = self._admit(after, order)
        if order.role is Role.CREATE:
            self._note_doubt(row, fate)
        if fate is Fate.DIES_BEFORE:
            return None
        answer = self._answer(row, order, fate)
        if fate is Fate.DIES_AFTER:
            return None
        return Answered(order.role, answer, order.item)

    def _admit(self, row: Row, call: Call) -> Row:
        """Return the row as it is committed before the first byte."""
        self.sent[self.vendor_id(row)] += call.role is Role.CREATE
        return admitted(row, call, self.now)

    def vendor_id(self, row: Row) -> str:
        """Return the vendor-side id of a row's generation."""
        return operation_of(row).vendor_id(row.id, row.generation)

    def _rest(self, row: Row, wait: int, reason: str) -> None:
        waiting = deferred(row, self.now + wait, reason, self.now)
        self._write(replace(waiting, lease=0, crashes=0), [])

    def _decide(self, row: Row, event: Event) -> tuple[Row, tuple[object, ...]]:
        return decide(row, event, self.now, KINDS[row.kind], POLICY, jitter=0.5)

    def _answer(self, row: Row, order: Call, fate: Fate) -> Answer:
        if fate is Fate.REFUSED and order.role is not Role.CREATE:
            fate = Fate.FAILED
        if fate is Fate.UNSEEN and order.role is Role.STATUS:
            return Answer(outcome=Outcome.MISSING, http=404)
        fine = self._execute(row, order) if fate in EXECUTED else None
        if fate is Fate.NAMED_NOTHING:
            return replace(_ERROR, reference=self.vendor.new_reference())
        if fine and fate is Fate.NAMED:
            return replace(_ERROR, reference=fine.reference)
        answer = _FAULTY.get(fate, fine)
        assert answer
        return answer

    def _note_doubt(self, row: Row, fate: Fate) -> None:
        """Note a create call that may be executed, and one that repeats it and never should."""
        vendor_id = self.vendor_id(row)
        if vendor_id in self.doubtful and operation_of(row).recovery in NEVER_REPEATED:
            self.repeated.append(vendor_id)
        if fate in DOUBTFUL:
            self.doubtful.add(vendor_id)

    def _execute(self, row: Row, order: Call) -> Answer:
        operation, vendor_id = operation_of(row), self.vendor_id(row)
        if order.role is Role.CREATE:
            return self.vendor.create(operation, vendor_id)
        if order.role is Role.STATUS:
            return self.vendor.read(operation, vendor_id, row.reference)
        return ok({"status": "SUCCESS"})

    def _acquire(self, row: Row) -> Acquired | Cached | None:
        owner = self.rows.get(self.owner)
        if owner is None or owner.id == row.id:
            self.owner = row.id
            return Acquired()
        if owner.state is State.DONE:
            return Cached(owner.status, "", owner.link, owner.result or {})
        if owner.state in TERMINAL:
            self.owner = row.id
            return Acquired()
        self._rest(row, POLICY.busy, "resource_busy")
        return None

    def _write(self, row: Row, changes: list[str]) -> None:
        self.rows[row.id] = row
        self.events += [(row.id, change) for change in changes]
        if row.state in TERMINAL:
            self.finals.setdefault(row.id, row)

    def wait_for(self, name: str) -> None:
        """Let time pass until a row is due and no lost worker holds it."""
        row = self.rows[name]
        self.pass_time(max(0, row.due - self.now, row.lease - self.now))

    def pass_time(self, ms: int) -> None:
        """Let time pass. The vendor's open links expire if it is ten minutes or more."""
        self.now += ms
        if ms >= 600_000:
            self.vendor.expire_links()

    def act(self, name: str, state: State) -> None:
        """Let the person of a journey decide, or what the vendor waits for; PENDING: a new word."""
        row, stored = self.rows[name], self.vendor.stored.get(self.vendor_id(self.rows[name]))
        if stored and stored.open and (row.link or stored.operation.mode is Mode.ASYNC):
            stored.state = state if word(stored.operation, state) else State.FAILED
            stored.undocumented = state is State.PENDING

    def hint(self, name: str, claimed: State | None) -> None:
        """Request a status check, by a redirect (claims nothing) or by a webhook."""
        row = self.rows[name]
        if row.due and row.state in {State.PENDING, State.UNKNOWN}:
            evidence = word(operation_of(row), claimed) if claimed else ""
            evidence = evidence or row.evidence
            self.rows[name] = replace(row, due=min(row.due, self.now), evidence=evidence)

    def by_hand(self, name: str, event: Redriven | Reissued) -> None:
        """Let an operator move a parked row; a refused action changes nothing."""
        row = self.rows[name]
        try:
            after, effects = self._decide(row, event)
        except ActionRefused:
            return
        if isinstance(event, Reissued):
            self.authorised[name] = self.authorised.get(name, 0) + 1
        self._write(after, [e.change for e in effects if isinstance(e, Emit)])

    def resume_all(self) -> None:
        """Let the vendor decide what is open, and an operator redrive what is parked."""
        for name in self.rows:
            self.act(name, State.DONE)
            self.by_hand(name, Redriven())
        self.finish()

    def finish(self) -> None:
        """Run everything without faults until nothing is due any more."""
        for _ in range(100):
            if not any(row.due for row in self.rows.values()):
                return
            for name in self.rows:
                self.run(name, iter(()))
            self.pass_time(HOUR // 2)
        raise AssertionError(f"rows never end: {[r for r in self.rows.values() if r.due]}")


def operation_of(row: Row) -> Operation:
    """Return the operation that serves a row."""
    return KINDS[row.kind].operation(row.vendor)
