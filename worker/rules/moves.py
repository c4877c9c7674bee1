"""The changes of state that a row can make. Every rule ends in one of these."""

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, Final

from satyapan.kinds.model import Mode, Operation, Role
from satyapan.records import Row, State
from worker.rules.answer import Answer, Outcome
from worker.rules.generations import generation_record
from worker.rules.lane import Lane
from worker.rules.model import Call, Decision, DecisionContext, Emit

_READS: Final = {"first": Lane.HIGH, "again": Lane.NORMAL, "": Lane.LOW}
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{0,64}", re.ASCII)
_HIDDEN: Final = "?"


def shown(status: object, known: Container[str] = ()) -> str:
    """Return a status as rows and events may hold it in clear: known, a word, or "?"."""
    text = str(status)
    return text if text in known or _WORD.fullmatch(text) else _HIDDEN


def settle(
    row: Row, state: State, reason: str = "", *, result: Mapping[str, Any] | None = None
) -> Decision:
    """End or park a verification, and send the producer an event."""
    draft, todo = (row.draft, row.todo) if state is State.PARKED else (None, ())
    row = replace(
        row,
        state=state,
        reason=reason,
        result=result or row.result,
        draft=draft,
        todo=todo,
        due=0,
        tries=0,
        handoff=row.handoff if state is State.PARKED else {},
    )
    return row, (Emit(state.lower()),)


def park(row: Row, reason: str) -> Decision:
    """Set a row aside for an operator: no rule can decide what happened."""
    return settle(row, State.PARKED, reason)


def judged(row: Row, context: DecisionContext) -> Decision:
    """Decide by the stored answer and its status; park a row whose status is unknown."""
    row = replace(row, status=stored_status(row, context.operation))
    state = context.operation.status_map.get(row.status)
    if state is None:
        return park(row, "unknown_status")
    if state is State.PENDING:
        return pend(row, context), ()
    reason = "" if state is State.DONE else row.status.lower()
    return settle(row, state, reason, result=row.draft)


def stored_status(row: Row, operation: Operation) -> str:
    """Return the status of the stored answer, also if it was hidden and is known by now."""
    routes = (operation.create, operation.status) if row.status == _HIDDEN else ()
    stated = [route.status_of(row.draft or {}, row.request) for route in routes if route]
    return next((each for each in stated if each in operation.status_map), row.status)


def pend(row: Row, context: DecisionContext) -> Row:
    """Wait for the vendor, or for a person at the vendor; status reads follow."""
    row = replace(row, state=State.PENDING, reason="", ambiguous=0, misses=0, tries=0, draft=None)
    if context.operation.mode is not Mode.JOURNEY:  # perhaps the call went shortly before its end
        row = replace(row, deadline=max(row.deadline, context.now + context.policy.second_life))
    return replace(row, due=min(context.next_poll(0), row.deadline))


def rest(row: Row, until: int, reason: str) -> Row:
    """Let a row wait until a time, as ACCEPTED if nothing was sent, else UNKNOWN or PENDING."""
    state = row.state
    if state in {State.CLAIMED, State.SENT}:
        state = State.UNKNOWN if row.ambiguous else State.ACCEPTED
    return replace(row, state=state, due=until, reason=reason)


def create(row: Row, context: DecisionContext) -> Decision:
    """Make a create call of this generation, unless the policy's attempts are used up."""
    stale = context.operation.stale(row.request, context.now)
    if stale and not row.ambiguous:
        return settle(row, State.EXPIRED, "consent_stale")
    if stale:  # a repeat would be refused, which says nothing about the ambiguous call
        return park(row, "unknown_outcome")
    if row.attempts >= context.policy.max_attempts:
        return park(row, "unknown_outcome" if row.ambiguous else "attempts_spent")
    return row, (Call(Role.CREATE, lane=_lane(row)),)


def read_status(row: Row) -> Decision:
    """Read the journey's status: requested reads go first, polls last."""
    ask = row.ask or row.asking
    lane = _lane(row) if row.state is State.UNKNOWN else _READS.get(ask, Lane.NORMAL)
    return row, (Call(Role.STATUS, lane=lane),)


def read_document(row: Row) -> Decision:
    """Fetch the next consented document."""
    return row, (Call(Role.DOCUMENT, row.todo[0], _lane(row)),)


def _lane(row: Row) -> Lane:
    return Lane.HIGH if row.priority == "high" else Lane.NORMAL


def note_ambiguous(row: Row, reason: str, context: DecisionContext) -> Decision:
    """Record that a paid call may have been executed. Unknown is never guessed (I5)."""
    row = replace(row, state=State.UNKNOWN, ambiguous=row.ambiguous + 1, tries=row.tries + 1)
    if not context.recoverable(row):
        return park(row, f"unknown_outcome/{reason}")
    return replace(row, due=context.retry(row, row.attempts), reason=reason), ()


def renew(row: Row, why: str, context: DecisionContext) -> Decision:
    """Continue under a new vendor-side id: recorded, counted, sent to the producer, capped (I3)."""
    number = row.generation + 1
    if number > context.policy.max_generations:
        return park(row, f"{why}/generations_spent")
    vendor_id = context.operation.vendor_id(row.id, number)
    record = generation_record(row, number, why, context.now, vendor_id)
    row = replace(row, generation=number, generations=(*row.generations, record))
    row = replace(row, draft=None, todo=())
    row = replace(row, state=State.ACCEPTED, reason=why, due=context.now, status="", reference="")
    row = replace(row, attempts=0, ambiguous=0, misses=0, tries=0, evidence="", link="", handoff={})
    row = replace(row, ask="", asking="", asks=0, asked=0, found_open=0)
    return row, (Emit("reissued"),)


def lose(row: Row, why: str, context: DecisionContext) -> Decision:
    """Apply the kind's policy to a lost answer that the vendor gives only once."""
    policy = context.policy.for_lost_answer(context.kind)
    if policy == "reissue":
        return renew(row, why, context)
    return settle(row, State.LOST, why) if policy == "fail" else park(row, why)


def _again_at(row: Row, answer: Answer, context: DecisionContext) -> int:
    if row.state is State.UNKNOWN and answer.outcome is Outcome.UNKNOWN:
        return context.retry(row, row.tries)
    if row.state is State.UNKNOWN and answer.outcome is Outcome.MISSING:
        return context.backoff(row.misses + 1)  # the vendor works: wait for the create call only
    return context.backoff(row.tries)


def again(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    """Wait after an answer that settled nothing and executed nothing; no attempt is spent on it."""
    row = replace(row, tries=row.tries + 1, http=answer.http)
    until = _again_at(row, answer, context)
    if answer.outcome is Outcome.THROTTLED:
        until = max(until, context.now + round(answer.not_before_s * 1000))
    if row.state is State.SENT:
        row = replace(row, attempts=row.attempts - 1)
    return rest(row, until, answer.code), ()
