"""A simulated world in memory: rows, the vendor and faults, for thousands of runs of decide().

The vendor charges, remembers ids, loses answers and runs journeys as its documentation says; it
shares no code with the code under test. Between any two steps of a run the world may lose the
answer, kill the worker, refuse admission, let time pass, send a webhook or let a person act.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from satyapan.ids import generation_id
from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from satyapan.records import TERMINAL, Row, State
from tests.support.decision_builders import ok
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

KINDS: Final = Registry()
POLICY: Final = Policy(max_attempts=4, max_generations=3)
HOUR: Final = 3_600_000
TEMPLATE: Final = "the template"


class Fate(StrEnum):
    """The outcome of one call."""

    FINE = "fine"
    LOST = "executed, but the answer is lost"
    FAILED = "not executed, a 500"
    NOT_SENT = "not sent"
    THROTTLED = "429"
    STOPPED = "422"
    NOT_ADMITTED = "no quota left, or a breaker is open"
    REFUSED = "400"
    DIES_BEFORE = "the worker dies before the first byte"
    DIES_AFTER = "the worker dies before it stores the answer"


@dataclass
class Vendor:
    """What the vendor has done and stored, by vendor-side id."""

    charges: list[str] = field(default_factory=list)
    journeys: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def create(self, kind: str, vendor_id: str) -> Answer:
        """Execute a create call."""
        if kind == "static_kyc_link":
            self.charges.append(TEMPLATE)
            body = {"static_link": f"https://l/{len(self.charges)}", "status": "ACTIVE"}
            return ok(body)
        if vendor_id in self.used:
            return Answer(outcome=Outcome.DUPLICATE, http=409)
        self.used.add(vendor_id)
        self.charges.append(vendor_id)
        if kind == "passport":
            return ok({"status": "VALID"})
        self.journeys[vendor_id] = "PENDING"
        body = {"status": "PENDING", "url": f"https://d/{vendor_id}"}
        return ok(body)

    def status(self, vendor_id: str) -> Answer:
        """Return the status of a journey."""
        if vendor_id not in self.journeys:
            return Answer(outcome=Outcome.MISSING, http=404)
        status = self.journeys[vendor_id]
        consent = ["PAN"] if status == "AUTHENTICATED" else []
        body = {"status": status, "document_consent": consent}
        return ok(body)


_FAULTY: Final = {
    Fate.LOST: Answer(outcome=Outcome.UNKNOWN, code="cut"),
    Fate.FAILED: Answer(outcome=Outcome.UNKNOWN, http=500, code="verification_failed"),
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

    def submit(self, kind: str, name: str) -> None:
        """Accept a verification, once."""
        new = Row(id=name, kind=kind, due=self.now, deadline=self.now + 24 * HOUR)
        self.rows.setdefault(name, new)

    def run(self, name: str, fates: Sequence[Fate] = ()) -> None:
        """Do what one wake-up does. Its calls have `fates` in this order; further calls succeed."""
        event: Event | None = Woken() if self._claim(name) else None
        ahead = iter(fates)
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
        if fate is Fate.DIES_BEFORE:
            return None
        answer = self._answer(row, order, fate)
        if fate is Fate.DIES_AFTER:
            return None
        return Answered(order.role, answer, order.item)

    def _admit(self, row: Row, call: Call) -> Row:
        """Return the row as it is committed before the first byte."""
        self.sent[generation_id(row.id, row.generation)] += call.role is Role.CREATE
        return admitted(row, call, self.now)

    def _rest(self, row: Row, wait: int, reason: str) -> None:
        waiting = deferred(row, self.now + wait, reason, self.now)
        self._write(replace(waiting, lease=0, crashes=0), [])

    def _decide(self, row: Row, event: Event) -> tuple[Row, tuple[object, ...]]:
        return decide(row, event, self.now, KINDS[row.kind], POLICY, jitter=0.5)

    def _answer(self, row: Row, order: Call, fate: Fate) -> Answer:
        executes = fate in {Fate.FINE, Fate.LOST, Fate.DIES_AFTER}
        fine = self._execute(row, order) if executes else None
        if fate is Fate.REFUSED and order.role is not Role.CREATE:
            fate = Fate.FAILED
        faulty = _FAULTY.get(fate)
        if faulty is not None:
            return faulty
        assert fine is not None
        return fine

    def _execute(self, row: Row, order: Call) -> Answer:
        vendor_id = generation_id(row.id, row.generation)
        if order.role is Role.CREATE:
            return self.vendor.create(row.kind, vendor_id)
        if order.role is Role.STATUS:
            return self.vendor.status(vendor_id)
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

    def pass_time(self, ms: int) -> None:
        """Let time pass. The vendor's open links expire if it is ten minutes or more."""
        self.now += ms
        if ms >= 600_000:
            for name, status in self.vendor.journeys.items():
                self.vendor.journeys[name] = "EXPIRED" if status == "PENDING" else status

    def act(self, name: str, status: str) -> None:
        """Let the person of a journey decide."""
        row = self.rows[name]
        vendor_id = generation_id(name, row.generation)
        if self.vendor.journeys.get(vendor_id) == "PENDING" and row.link:
            self.vendor.journeys[vendor_id] = status

    def hint(self, name: str, claimed: str) -> None:
        """Request a status check, by a redirect (claims nothing) or by a webhook."""
        row = self.rows[name]
        if row.due and row.state in {State.PENDING, State.UNKNOWN}:
            evidence = claimed or row.evidence
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

    def finish(self) -> None:
        """Run everything without faults until nothing is due any more."""
        for _ in range(400):
            if not any(row.due for row in self.rows.values()):
                return
            for name in self.rows:
                self.run(name)
            self.pass_time(700_000)
        raise AssertionError(f"rows never end: {[r for r in self.rows.values() if r.due]}")
