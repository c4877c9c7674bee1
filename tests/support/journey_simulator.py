"""Simulate a DigiLocker journey in memory: one row, and a vendor that knows what the person did.

Drives decide() as the engine does, and hints as worker/lua/hint.lua does; nothing else is taken
from the code under test. Times are ms.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from satyapan.records import SETTLED, TERMINAL, Row, State
from tests.support.decision_builders import ok
from worker.rules.answer import Answer, Outcome
from worker.rules.calls import admitted, deferred
from worker.rules.decide import decide
from worker.rules.model import Answered, Call, Emit, Event, Policy, Woken

KIND: Final = Registry()["digilocker"]
POLICY: Final = Policy()
BEGIN: Final = 1_767_607_872_000
LINK_LIFE: Final = 600_000
CONSENT_LIFE: Final = 3_600_000
LEAST_LOOK: Final = 1_000
MOST_LOOK: Final = 60_000
SLOT: Final = 700
"""How long a call that is not admitted waits."""
MOST_STEPS: Final = 500


class Truth(StrEnum):
    """What the person did."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOTHING = "nothing"


END: Final = {
    Truth.ALLOWED: State.DONE,
    Truth.DENIED: State.DENIED,
    Truth.NOTHING: State.EXPIRED,
}


class Stimulus(StrEnum):
    """What may arrive, in any order, twice or never; the value of a webhook is its status."""

    REDIRECT = "redirect"
    SUCCESS = "AUTHENTICATED"
    DENIED = "CONSENT_DENIED"
    EXPIRED = "EXPIRED"
    CONSENT_EXPIRED = ""
    POLL = "poll"


class CallOutcome(StrEnum):
    """The outcome of one call to the vendor."""

    FINE = "fine"
    LOST = "no answer"
    THROTTLED = "429"
    NOT_READY = "202"
    NOT_ADMITTED = "no quota left, or a breaker is open"
    CRASH = "the worker dies with the answer in hand"


@dataclass
class SimulatedJourney:
    """A journey whose link a person has; `acted_at` is when they acted."""

    truth: Truth
    acted_at: int = BEGIN
    now: int = BEGIN
    calls: int = 0
    last_ask: int = 0
    events: list[str] = field(default_factory=list)
    outcomes: list[CallOutcome] = field(default_factory=list)
    """The outcomes of the next calls; later calls are FINE."""

    def __post_init__(self) -> None:
        """Create the link."""
        fresh = Row(id="dl-1", kind="digilocker", due=BEGIN, deadline=BEGIN + 86_400_000)
        self.row = fresh
        self._run()
        assert self.events == ["link_ready"]

    def deliver(self, what: Stimulus) -> None:
        """Deliver a stimulus."""
        if what is Stimulus.POLL:
            self.pass_until_due()
        else:
            asked = what not in {Stimulus.EXPIRED, Stimulus.CONSENT_EXPIRED}
            self._hint("" if what is Stimulus.REDIRECT else what.value, asked=asked)

    def wait(self, ms: int) -> None:
        """Advance the clock, and process the row whenever it is due."""
        until = self.now + ms
        while self.row.due and self.row.due <= until:
            self.pass_until_due()
        self.now = until

    def pass_until_due(self) -> None:
        """Advance the clock to the row's due time, and process it, as the sweeper does."""
        if self.row.due:
            self.now = max(self.now, self.row.due)
            self._run()

    def finish(self) -> None:
        """Let all calls succeed, and process the row until it is settled."""
        self.outcomes.clear()
        for _ in range(MOST_STEPS):
            if self.row.state in SETTLED:
                return
            self.pass_until_due()
        raise AssertionError(f"{self.row} never ends")

    @property
    def ends(self) -> list[str]:
        """The end events that the producer got."""
        return [change for change in self.events if change.upper() in {*TERMINAL, State.PARKED}]

    def _hint(self, claimed: str, *, asked: bool) -> None:
        if self.row.due == 0:
            return
        news = claimed not in {"", self.row.evidence}
        if claimed:
            self.row = replace(self.row, evidence=claimed)
        wait = self._ask(news=news) if asked else LEAST_LOOK
        soonest = max(self.now, self.row.checked + wait)
        self.row = replace(self.row, due=min(self.row.due, soonest))
        if self.row.due <= self.now:
            self._run()

    def _ask(self, *, news: bool) -> int:
        """Record a request for a status read; return the least time since the last read."""
        quiet = self.now - self.last_ask > 2 * MOST_LOOK
        self.last_ask = self.now
        asks = 0 if news or quiet else self.row.asks
        how = "again" if asks and self.row.ask != "first" else "first"
        asked = self.now if quiet else self.row.asked or self.now
        self.row = replace(self.row, ask=how, asks=asks, asked=asked)
        return min(MOST_LOOK, LEAST_LOOK << min(asks, 10))

    def _run(self) -> None:
        """Claim, decide and call, until the row has to wait."""
        event: Event = Woken()
        while True:
            after, effects = decide(self.row, event, self.now, KIND, POLICY)
            call = next((each for each in effects if isinstance(each, Call)), None)
            if call is None:
                self.events += [each.change for each in effects if isinstance(each, Emit)]
                self.row = replace(after, crashes=0)
                return
            outcome = self.outcomes.pop(0) if self.outcomes else CallOutcome.FINE
            if outcome is CallOutcome.NOT_ADMITTED:
                self.row = replace(self._deferred(after), crashes=0)
                return
            self.row = admitted(after, call, self.now)
            if outcome is CallOutcome.CRASH and call.role is not Role.CREATE:
                lease_ends = self.now + 15_000
                self.row = replace(self.row, due=lease_ends, crashes=self.row.crashes + 1)
                return
            event = Answered(call.role, self._answer(call, outcome), call.item)

    def _deferred(self, row: Row) -> Row:
        return deferred(row, self.now + SLOT, "quota", self.now)

    def _answer(self, call: Call, outcome: CallOutcome) -> Answer:
        self.calls += 1
        if outcome is CallOutcome.LOST:
            return Answer(outcome=Outcome.UNKNOWN, code="timeout")
        if outcome is CallOutcome.THROTTLED:
            return Answer(outcome=Outcome.THROTTLED, http=429, not_before_s=2.0)
        if outcome is CallOutcome.NOT_READY and call.role is Role.DOCUMENT:
            return Answer(outcome=Outcome.WAIT, http=202)
        return ok(self._body(call), reference="77")

    def _body(self, call: Call) -> dict[str, Any]:
        if call.role is Role.CREATE:
            return {"status": "PENDING", "url": "https://vendor.example/dgl/x"}
        if call.role is Role.DOCUMENT:
            return {"status": "SUCCESS", "item": call.item}
        status = self.status()
        consent = ["AADHAAR", "PAN"] if status == "AUTHENTICATED" else []
        return {"status": status, "document_consent": consent}

    def status(self) -> str:
        """Return the vendor's status now."""
        if self.now < self.acted_at or self.truth is Truth.NOTHING:
            return "PENDING" if self.now < BEGIN + LINK_LIFE else "EXPIRED"
        if self.truth is Truth.DENIED:
            return "CONSENT_DENIED"
        return "AUTHENTICATED" if self.now < self.acted_at + CONSENT_LIFE else "EXPIRED"
