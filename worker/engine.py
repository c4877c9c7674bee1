"""The engine carries out what decide() asks for: it claims, passes the gate, calls, commits.

One run follows one verification as far as it can go now:

    claim -> decide -> gate and commit (SENT, durable) -> vendor -> decide -> ... -> commit, release

Every vendor call stands behind a commit that Redis confirmed under our fence. A claim or a SENT
that Redis doesn't confirm ends the run: the lease runs out, and whoever claims the row next sees
what was durable. The commit of what the vendor answered is repeated until Redis confirms it, or the
claim is lost: an answer in hand outlives a Redis that is away, full or read-only.

A run is a generator of steps: on Redis (`Ask`), an `Errand`, such as a call of the vendor, or a
`Pause`. Who drives it (worker/pump.py) does many runs' steps together; the order within a run is
fixed here.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from redis.exceptions import RedisError

from satyapan.asking import Ask
from satyapan.canonical import digest, request_digest
from satyapan.ids import generation_id
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Mode, Operation, Role
from satyapan.points import ANSWERED, CLAIMED, COMMITTED, DELIVERED, SENT, reach
from satyapan.records import TERMINAL, Row, State
from worker.answer import Answer
from worker.clock import RedisClock
from worker.decide import decide
from worker.gate import Gate, Go, Wait
from worker.heed import heed
from worker.ledger import Claim, StaleFence, WorkLedger
from worker.rules.calls import admitted, deferred
from worker.rules.model import (
    Acquire,
    Acquired,
    Answered,
    Cached,
    Call,
    Effect,
    Emit,
    Event,
    Policy,
    Woken,
)
from worker.vendors import Vendor

_TURNS: Final = 40
"""More decisions than any journey has in one run; the row is released and woken again after."""
_UNKNOWN_KIND_MS: Final = 60_000
_REPEAT_S: Final = (0.25, 0.5, 1.0)
"""Pauses before a write is repeated; the last one from then on. After an outage ended claims are
left to their holders for longer than that (`Outage.grace`)."""
_SAY_EVERY: Final = 60
"""Repeats, and so about seconds, between two log lines about one row."""

Reply = TypeVar("Reply")

log = logging.getLogger("satyapan.engine")


@dataclass(frozen=True)
class Tools:
    """What the engine works with."""

    ledger: WorkLedger
    gate: Gate
    vendors: Mapping[str, Vendor]
    kinds: Registry
    policy: Policy
    id_key: bytes
    limit: Callable[[str, int], int]
    """(route name, the kind's own limit) to calls per window."""
    window: int
    """The window of these limits, ms."""
    clock: RedisClock
    redirect_url: Callable[[Row], str]
    monotonic: Callable[[], float]
    luck: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Errand:
    """What takes its time, and must hold up no other run; done once, at once."""

    do: Callable[[], Answer | Event | Wait]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for so long (seconds)."""

    seconds: float


Step = Ask[Any] | Errand | Pause
Steps = Generator[Step, Any, Row | None]
"""Takes the reply of each step; its error is thrown in. Gives the row, as it was left."""


class Engine:
    """Takes verifications as far as they go, each run under a claim of its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def steps(self, verification_id: str, event: Event | None = None) -> Steps:
        """Take a verification as far as it goes now; gives None when it was not ours to take.

        A row that may go on at once (a new generation) goes on in a claim of its own.

        Raises:
            redis.RedisError: nothing is lost; the lease ends and the sweeper wakes the row.
        """
        reach(DELIVERED)
        asked = self._tools.monotonic()
        claim: Claim | None = yield self._tools.ledger.claiming(verification_id)
        if claim is None:
            return None
        reach(CLAIMED)
        jump = self._tools.clock.read(claim.now, asked, self._tools.monotonic())
        if jump:
            yield self._tools.gate.jumped(jump, self._tools.clock.confirm)
        run = _Run(self._tools, claim)
        try:
            row = yield from run.go(event or Woken())
        except StaleFence:
            log.warning("claim was lost", extra={"id": verification_id, "fence": claim.row.fence})
            return None
        if row.generation > claim.row.generation and row.due:
            return (yield from self.steps(verification_id)) or row
        return row


class _Run:
    """One claim, from its first decision to its release."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._tools = tools
        self._start = tools.monotonic()
        self._claimed_at = claim.now
        self._open = 0  # journeys on this one's status route, as of the last call
        self._answered = False
        self.row = claim.row

    def _now(self) -> int:
        """Give Redis' time (ms): what it said at the claim, plus what has passed here since."""
        return self._claimed_at + round((self._tools.monotonic() - self._start) * 1000)

    def go(self, event: Event) -> Generator[Step, Any, Row]:
        """Decide and carry out until the row has to wait or is settled."""
        try:
            kind = self._tools.kinds[self.row.kind]
        except KeyError:
            return (yield from self._leave_alone("kind_not_known_here"))
        row = self.row
        for _ in range(_TURNS):
            after, effects = self._decide(row, event, kind)
            order = next((e for e in effects if isinstance(e, Call | Acquire)), None)
            if order is None:
                return (yield from self._release(after, effects, kind))
            happened = yield from self._carry_out(order, after, kind)
            if isinstance(happened, Wait):
                now = self._now()
                rested = deferred(after, happened.until_ms, happened.reason, now)
                return (yield from self._release(rested, (), kind))
            event, row = happened, self.row
        return (yield from self._leave_alone("too_many_turns"))

    def _decide(self, row: Row, event: Event, kind: Kind) -> tuple[Row, tuple[Effect, ...]]:
        tools = self._tools
        return decide(row, event, self._now(), kind, tools.policy, tools.luck(), self._pace(kind))

    def _pace(self, kind: Kind) -> int:
        """Return the time (ms) in which half of the status quota polls each open journey once."""
        status = kind.operation(self.row.vendor).status
        if status is None:
            return 0
        limit = self._tools.limit(status.name, status.per_minute)
        return 2 * self._open * self._tools.window // limit

    def _carry_out(
        self, order: Call | Acquire, after: Row, kind: Kind
    ) -> Generator[Step, Any, Event | Wait]:
        """Return what happened to the row that is stored now, or until when it has to wait."""
        if isinstance(order, Acquire):
            acquired: Event | Wait = yield Errand(self._acquire)
            return acquired
        return (yield from self._call(order, after, kind))

    def _call(self, order: Call, after: Row, kind: Kind) -> Generator[Step, Any, Answered | Wait]:
        """Pass the gate and make the row durable in one step, then call (I4, I12)."""
        operation = kind.operation(after.vendor)
        route = operation.route(order.role)
        limit = self._tools.limit(route.name, route.per_minute)
        commit = self._tools.ledger.committing(
            self.row,
            admitted(after, order, self._now()),
            (),
            self._now(),
            keep=True,
            alias="",
            status_route=_status(operation),
            reading=order.role is Role.STATUS,
        )
        try:
            passed = yield self._tools.gate.passing(after, route.name, limit, order.lane, commit)
        except RedisError:
            # An answer in hand is committed until Redis confirms it. Not so before a create: the
            # admission may have been executed, and a commit wouldn't undo its mark.
            if not self._answered or order.role is Role.CREATE:
                raise
            passed = Wait(self._now(), "redis_away")
        if isinstance(passed, Wait):
            return passed
        go, self.row = passed
        self._open = go.open
        reach(SENT)

        def errand() -> Answer:
            answer = self._ask_vendor(operation, order)
            reach(ANSWERED)
            self._heed(go, answer, route.name, limit)
            return answer

        answer = yield Errand(errand)
        self._answered = True
        self._tell(answer, route.name)
        return Answered(order.role, answer, order.item)

    def _ask_vendor(self, operation: Operation, order: Call) -> Answer:
        row = self.row
        return self._tools.vendors[row.vendor].call(
            operation,
            order.role,
            generation_id(row.id, row.generation),
            row.request,
            self._tools.redirect_url(row) if operation.redirect_field else "",
            order.item,
            # Without a link the create wasn't answered: the reference may be its failed attempt's.
            row.reference if row.link else "",
        )

    def _heed(self, passed: Go, answer: Answer, route: str, limit: int) -> None:
        """Let all workers learn from an answer; a fault there costs no answer."""
        try:
            heed(self._tools.gate, self.row, route, limit, passed, answer)
        except RedisError as error:
            log.warning("answer not heeded", extra={"code": type(error).__name__})

    def _tell(self, answer: Answer, route: str) -> None:
        """Log a call. Not in the errand: calling threads would stand in line for the log's lock."""
        log.info(
            "vendor answered",
            extra={
                "id": self.row.id,
                "kind": self.row.kind,
                "route": route,
                "status": answer.outcome,
                "http": answer.http,
                "code": answer.code,
                "attempt": self.row.attempts,
            },
        )

    def _acquire(self) -> Event | Wait:
        """Take over a shared resource, wait for its creator, or use what its owner got."""
        ledger, row = self._tools.ledger, self.row
        name = self._resource()
        owner = ledger.acquire(name, "", row)
        if owner == row.id:
            return Acquired()
        held = ledger.read(owner)
        if held is not None and held.state is State.DONE:
            return Cached(held.status, held.reference, held.link, held.result or {})
        ended = held is None or held.state in TERMINAL
        if ended and ledger.acquire(name, owner, row) == row.id:
            return Acquired()
        parked = held is not None and held.state is State.PARKED
        wait = self._tools.policy.backoff_cap if parked else self._tools.policy.busy
        return Wait(self._now() + wait, "resource_parked" if parked else "resource_busy")

    def _resource(self) -> str:
        """Name the shared resource that this row asks for: the same, whichever producer asks."""
        return request_digest(self._tools.id_key, self.row.kind, self.row.request)

    def _release(
        self, after: Row, effects: tuple[Effect, ...], kind: Kind
    ) -> Generator[Step, Any, Row]:
        """Commit and give the claim back."""
        alias = self._alias(after, kind)
        if after.state in TERMINAL:
            after = self._ended(after, kind)
        yield from self._commit(after, effects, kind, alias=alias)
        reach(COMMITTED)
        return self.row

    def _ended(self, after: Row, kind: Kind) -> Row:
        """Drop the request of a row that has ended, and keep the name of what was shared by it."""
        shared = kind.operation(after.vendor).mode is Mode.RESOURCE and not after.parent
        # Nothing is sent again, and the digest tells whether a repeat is the same. A person who
        # comes back later is still sent on.
        onward = {n: v for n, v in after.request.items() if n == kind.onward_field}
        resource = self._resource() if shared else ""
        return replace(after, request=onward, deadline=0, resource=resource)

    def _commit(
        self, after: Row, effects: tuple[Effect, ...], kind: Kind | None, *, alias: str = ""
    ) -> Generator[Step, Any, None]:
        changes = [effect.change for effect in effects if isinstance(effect, Emit)]
        route = _status(kind.operation(after.vendor)) if kind else ""
        self.row = yield from self._surely(
            self._tools.ledger.committing(
                self.row, after, changes, self._now(), keep=False, alias=alias, status_route=route
            )
        )

    def _surely(self, ask: Ask[Reply]) -> Generator[Step, Any, Reply]:
        """Repeat a write under our claim until Redis confirms it; done already, it changes nothing.

        Raises:
            StaleFence: the claim was lost meanwhile.
        """
        tries = 0
        while True:
            try:
                reply: Reply = yield ask
            except RedisError as error:
                if tries % _SAY_EVERY == 0:
                    code = type(error).__name__
                    log.warning("repeated until confirmed", extra={"id": self.row.id, "code": code})
            else:
                return reply
            yield Pause(_REPEAT_S[min(tries, len(_REPEAT_S) - 1)])
            tries += 1

    def _alias(self, after: Row, kind: Kind) -> str:
        """Name what the vendor will send instead of our id: the link that many share."""
        mode = kind.operation(after.vendor).mode
        if mode is Mode.RESOURCE and after.state is State.DONE and after.attempts:
            return link_alias(self._tools.id_key, after.link)
        return ""

    def _leave_alone(self, reason: str) -> Generator[Step, Any, Row]:
        """Give the claim back unchanged, for a worker that knows better or a later run."""
        log.error(reason, extra={"id": self.row.id, "kind": self.row.kind})
        until = self._now() + _UNKNOWN_KIND_MS
        yield from self._commit(replace(self.row, due=until, reason=reason), (), None)
        return self.row


def _status(operation: Operation) -> str:
    """Name the status route; empty where there is none."""
    return operation.status.name if operation.status else ""


def link_alias(id_key: bytes, link: str) -> str:
    """Name a shared link by keyed digest: links are private, keys are not."""
    return digest(id_key, b"link", link.encode())
