"""One verification, taken as far as it can go now.

    claim -> decide -> admit and record SENT -> call the vendor -> decide -> ... -> commit, release

Before every vendor call Redis confirmed a commit under our fence. A claim or a SENT
that Redis doesn't confirm ends the run: the lease ends, and the next claim reads the durable row.
The commit of a vendor's answer is repeated until Redis confirms it, or the claim is lost: no answer
is dropped because Redis is away, full or read-only.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from redis.exceptions import RedisError

from satyapan.canonical import request_digest
from satyapan.failpoints import Failpoint, failpoint
from satyapan.ids import link_alias
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Mode, Operation, Role, Route, vendor_of
from satyapan.records import TERMINAL, Row, State
from satyapan.redis.script_calls import ScriptCall
from worker.admission.admission import Admission
from worker.admission.limiter import Admitted, NotYet
from worker.admission.redis_clock import RedisClock
from worker.engine.blocking_calls import BlockingCalls
from worker.engine.leases import Leases
from worker.engine.redis_batch import RedisBatch
from worker.engine.vendor import VendorClient
from worker.ledger.work_ledger import VENDOR_ID_ALIAS_MS, Alias, Claim, StaleFence, WorkLedger
from worker.rules.answer import Answer
from worker.rules.calls import admitted, deferred
from worker.rules.decide import decide
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

_DECISIONS: Final = 40
"""More than any journey has in one run; the row is released and woken again after."""
_UNKNOWN_KIND_MS: Final = 60_000
_REPEAT_S: Final = (0.25, 0.5, 1.0)
"""Pauses before a write is repeated; the last one from then on. After an outage ended claims are
left to their holders for longer than that (`Outage.grace`)."""
_LOG_EVERY: Final = 60
"""Repeats, and so about seconds, between two log lines about one row."""

Reply = TypeVar("Reply")

log = logging.getLogger("satyapan.engine")


@dataclass(frozen=True)
class Tools:
    """The parts that runs use."""

    redis: RedisBatch
    calls: BlockingCalls
    leases: Leases
    ledger: WorkLedger
    admission: Admission
    vendors: Mapping[str, VendorClient]
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
    jitter: Callable[[], float]


class Runner:
    """Runs verifications, each under a claim of its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def run(self, verification_id: str, event: Event | None = None) -> Row | None:
        """Take a verification as far as it goes now; None if it is not this worker's to take.

        A row that may continue at once (a new generation) continues under a new claim.

        Raises:
            redis.RedisError: nothing is lost; the lease ends and the sweeper wakes the row.
            Unreadable: the row is sealed under a key that this worker lacks; it is due again soon,
                for a worker that has it.
        """
        found: Row | None = None
        while claim := await self._claim(verification_id):
            try:
                row = found = await ClaimedRun(self._tools, claim).go(event or Woken())
            except StaleFence:
                extra = {"id": verification_id, "fence": claim.row.fence}
                log.warning("claim was lost", extra=extra)
                break
            finally:
                self._tools.leases.drop(claim.row)
            event = None
            if row.generation == claim.row.generation or not row.due:
                break
        return found

    async def _claim(self, verification_id: str) -> Claim | None:
        tools = self._tools
        failpoint(Failpoint.DELIVERED)
        asked = tools.monotonic()
        claim = await tools.redis.call(tools.ledger.claiming(verification_id))
        if claim is None:
            return None
        if claim.unreadable:
            await tools.redis.call(tools.ledger.postponing(claim))
            raise claim.unreadable
        failpoint(Failpoint.CLAIMED)
        jump = tools.clock.read(claim.now, asked, tools.monotonic())
        if jump:
            await tools.redis.call(tools.admission.limiter.hold_all(jump, tools.clock.confirm))
        tools.leases.hold(claim.row)
        return claim


class ClaimedRun:
    """One claim, from its first decision to its release."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._tools = tools
        self._start = tools.monotonic()
        self._claimed_at = claim.now
        self._open = 0  # journeys on this one's status route, as of the last call
        self._unsaved = False  # an answer is in hand that no commit has stored
        self.row = claim.row

    def _now(self) -> int:
        """Return Redis' time (ms): its time at the claim, plus the time since by our clock."""
        return self._claimed_at + round((self._tools.monotonic() - self._start) * 1000)

    async def go(self, event: Event) -> Row:
        """Decide and carry out until the row has to wait or is settled.

        Raises:
            StaleFence: the claim was lost; another worker has the row.
        """
        try:
            kind = self._tools.kinds[self.row.kind]
        except KeyError:
            return await self._leave_alone("kind_not_known_here")
        if self.row.vendor not in kind.operations:
            return await self._leave_alone("operation_not_known_here")
        for _ in range(_DECISIONS):
            row, effects = self._decide(event, kind)
            order = next((e for e in effects if isinstance(e, Call | Acquire)), None)
            if order is None:
                return await self._release(row, effects, kind)
            happened = await self._carry_out(order, row, kind)
            if isinstance(happened, NotYet):
                rests = deferred(row, happened.until_ms, happened.reason, self._now())
                return await self._release(rests, (), kind)
            event = happened
        return await self._leave_alone("too_many_decisions")

    def _decide(self, event: Event, kind: Kind) -> tuple[Row, tuple[Effect, ...]]:
        tools = self._tools
        pace = self._pace(kind)
        return decide(self.row, event, self._now(), kind, tools.policy, tools.jitter(), pace)

    def _pace(self, kind: Kind) -> int:
        """Return the time (ms) in which half of the status quota polls each open journey once."""
        status = kind.operation(self.row.vendor).status
        if status is None:
            return 0
        limit = self._tools.limit(status.name, status.per_minute)
        return 2 * self._open * self._tools.window // limit

    async def _carry_out(self, order: Call | Acquire, row: Row, kind: Kind) -> Event | NotYet:
        if isinstance(order, Acquire):
            return await self._tools.calls.run(self._acquire)
        return await self._call(order, row, kind.operation(row.vendor))

    async def _call(self, order: Call, row: Row, operation: Operation) -> Event | NotYet:
        """Be admitted and make the row durable in one step, then call (I4, I12)."""
        route = operation.route(order.role)
        limit = self._tools.limit(route.name, route.per_minute)
        verdict = await self._admit(order, row, operation, limit)
        if isinstance(verdict, NotYet):
            return verdict
        failpoint(Failpoint.SENT)
        call = partial(self._blocking_call, operation, order, verdict, limit)
        answer = await self._tools.calls.run(call)
        self._unsaved = True
        self._log_answer(answer, route.name)
        return Answered(order.role, answer, order.item)

    async def _admit(
        self, order: Call, row: Row, operation: Operation, limit: int
    ) -> Admitted | NotYet:
        """Take a slot of the quota and make the row durable as sent, both or neither."""
        tools = self._tools
        sent = admitted(row, order, self._now())
        route = operation.route(order.role).name
        commit = tools.ledger.committing(
            self.row,
            sent,
            (),
            self._now(),
            keep=True,
            alias=_vendor_alias(sent, operation) if order.role is Role.CREATE else None,
            status_route=_status(operation),
            reading=order.role is Role.STATUS,
        )
        try:
            verdict = await tools.redis.call(
                tools.admission.limiter.admit_and_commit(sent, route, limit, order.lane, commit)
            )
        except RedisError:
            # An answer in hand is committed until Redis confirms it. Not so before a create: the
            # admission may have been executed, and a commit wouldn't undo its mark.
            if not self._unsaved or order.role is Role.CREATE:
                raise
            return NotYet(self._now(), "redis_away")
        if isinstance(verdict, NotYet):
            return verdict
        admission, self.row = verdict
        self._open, self._unsaved = admission.open, False
        return admission

    def _blocking_call(
        self, operation: Operation, order: Call, admission: Admitted, limit: int
    ) -> Answer:
        """Call the vendor and record the outcome for all workers; runs in a thread of its own."""
        row = self.row
        answer = self._tools.vendors[vendor_of(row.vendor)].call(
            operation,
            order.role,
            operation.vendor_id(row.id, row.generation),
            row.request,
            self._tools.redirect_url(row) if operation.redirect_field else "",
            order.item,
            _reference(row, operation.route(order.role)),
        )
        failpoint(Failpoint.ANSWERED)
        try:
            route = operation.route(order.role).name
            self._tools.admission.record_outcome(row, route, limit, admission, answer)
        except RedisError as error:  # a fault there costs no answer
            log.warning("outcome not recorded", extra={"code": type(error).__name__})
        return answer

    def _log_answer(self, answer: Answer, route: str) -> None:
        """Log a call. In the loop's thread: the calling threads would wait for the log's lock."""
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

    def _acquire(self) -> Event | NotYet:
        """Become the owner of a shared resource, wait for its owner, or use what the owner got."""
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
        return NotYet(self._now() + wait, "resource_parked" if parked else "resource_busy")

    def _resource(self) -> str:
        """Name the shared resource that this row requests: the same name for all producers."""
        return request_digest(self._tools.id_key, self.row.kind, self.row.request)

    async def _release(self, after: Row, effects: tuple[Effect, ...], kind: Kind) -> Row:
        """Commit and end the claim."""
        alias = self._alias(after, kind)
        if after.state in TERMINAL:
            after = self._ended(after, kind)
        await self._commit(after, effects, _status(kind.operation(after.vendor)), alias)
        failpoint(Failpoint.COMMITTED)
        return self.row

    def _ended(self, after: Row, kind: Kind) -> Row:
        """Drop what a row that has ended needs no more, and keep the name of what it shared."""
        mode = kind.operation(after.vendor).mode
        shared = mode is Mode.RESOURCE and not after.parent
        # A link that is given out after the end of its journey leads a person to pay in vain.
        link = "" if mode is Mode.JOURNEY else after.link
        # Nothing is sent again, and the digest shows if a repeat has the same request. A person who
        # comes back later is still redirected to the producer.
        onward = {n: v for n, v in after.request.items() if n == kind.return_url_field}
        resource = self._resource() if shared else ""
        return replace(after, request=onward, link=link, deadline=0, resource=resource)

    async def _commit(
        self,
        after: Row,
        effects: tuple[Effect, ...],
        status_route: str = "",
        alias: Alias | None = None,
    ) -> None:
        changes = [effect.change for effect in effects if isinstance(effect, Emit)]
        self.row = await self._until_confirmed(
            self._tools.ledger.committing(
                self.row,
                after,
                changes,
                self._now(),
                keep=False,
                alias=alias,
                status_route=status_route,
            )
        )

    async def _until_confirmed(self, write: ScriptCall[Reply]) -> Reply:
        """Repeat a write under our claim until Redis confirms it; done already, it changes nothing.

        Raises:
            StaleFence: the claim was lost meanwhile.
        """
        tries = 0
        while True:
            try:
                return await self._tools.redis.call(write)
            except RedisError as error:
                if tries % _LOG_EVERY == 0:
                    code = type(error).__name__
                    log.warning("repeated until confirmed", extra={"id": self.row.id, "code": code})
            await asyncio.sleep(_REPEAT_S[min(tries, len(_REPEAT_S) - 1)])
            tries += 1

    def _alias(self, after: Row, kind: Kind) -> Alias | None:
        """Name what the vendor will send instead of our id: the link that many share."""
        mode = kind.operation(after.vendor).mode
        if mode is Mode.RESOURCE and after.state is State.DONE and after.attempts:
            return Alias(link_alias(self._tools.id_key, after.link), life_ms=-1)
        return None

    async def _leave_alone(self, reason: str) -> Row:
        """End the claim without a change, for a newer worker or a later run."""
        log.error(reason, extra={"id": self.row.id, "kind": self.row.kind})
        until = self._now() + _UNKNOWN_KIND_MS
        await self._commit(replace(self.row, due=until, reason=reason), ())
        return self.row


def _reference(row: Row, route: Route) -> str:
    """Return the vendor's reference of this row.

    While the create call's outcome is unknown, the reference may be that of a failed attempt: it is
    no proof of whose a reply is, but a route that is asked by reference gets it.
    """
    return row.reference if row.state is not State.UNKNOWN or route.by_reference else ""


def _vendor_alias(row: Row, operation: Operation) -> Alias | None:
    """Name the id that the vendor gets for this row, if it isn't the row's own."""
    vendor_id = operation.vendor_id(row.id, row.generation)
    return None if vendor_id == row.id else Alias(vendor_id, VENDOR_ID_ALIAS_MS)


def _status(operation: Operation) -> str:
    """Name the status route; empty where there is none."""
    return operation.status.name if operation.status else ""
