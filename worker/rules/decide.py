"""decide(): every rule of a verification, as one pure function.

Given the row, what happened, and the time, it says what the row becomes and what has to be done.
It knows no clock, no network, no Redis and no Celery, so it can be tried by the hundred thousand.
"""

from dataclasses import replace

from satyapan.kinds.model import Kind, Mode, Role
from satyapan.records import SETTLED, Row, State
from worker.rules.creating import created
from worker.rules.model import (
    Acquire,
    Acquired,
    Answered,
    ByHand,
    Cached,
    Decision,
    DecisionContext,
    Event,
    Policy,
    VisitorWebhook,
    Woken,
)
from worker.rules.moves import (
    create,
    judged,
    note_ambiguous,
    park,
    read_document,
    read_status,
    settle,
)
from worker.rules.person import by_hand
from worker.rules.reading import document_read, status_read, surely_expired, too_late
from worker.rules.sharing import cached, visitor_reported, visitor_woken


def decide(
    row: Row,
    event: Event,
    now: int,
    kind: Kind,
    policy: Policy,
    jitter: float = 1.0,
    pace: int = 0,
) -> Decision:
    """Return what a row becomes after an event, and the effects to carry out, in order.

    `now` is Redis' clock in ms; `jitter` is one uniform draw from 0..1; `pace` is the least time
    (ms) between two polls of one journey. A settled row is returned unchanged, with no effects,
    whatever happens (I6); a parked one moves by hand only.
    The row of a decision with a Call has no mark of that call yet (worker/rules/calls.py).

    Raises:
        ActionRefused: a person asked for what would break a promise.
    """
    context = DecisionContext(now, kind, kind.operation(row.vendor), policy, jitter, pace)
    if isinstance(event, ByHand):
        return by_hand(row, event, context)
    if row.state in SETTLED:
        return row, ()
    match event:
        case Answered():
            return _answered(row, event, context)
        case Woken():
            return _woken(row, context)
        case Acquired():
            return create(row, context)
        case Cached():
            return cached(row, event)
        case VisitorWebhook():
            return visitor_reported(row, event)


def _answered(row: Row, event: Answered, context: DecisionContext) -> Decision:
    if event.role is Role.CREATE:
        return created(row, event.answer, context)
    if event.role is Role.STATUS:
        return status_read(row, event.answer, context)
    return document_read(row, event.item, event.answer, context)


def _woken(row: Row, context: DecisionContext) -> Decision:
    if row.crashes >= context.policy.max_crashes:
        executed = row.state is State.SENT  # perhaps: the last of them may have made its call
        return park(replace(row, ambiguous=row.ambiguous + executed), "workers_lost")
    if row.parent:
        return visitor_woken(row, context)
    if row.state is State.SENT:
        return note_ambiguous(row, "worker_lost", context)
    if row.state is State.PENDING:
        return _pending_woken(row, context)
    if row.state is State.UNKNOWN:
        return _unknown_woken(row, context)
    return _fresh_woken(row, context)


def _fresh_woken(row: Row, context: DecisionContext) -> Decision:
    """Send what has not been sent, unless its time is over; judge an answer that is stored."""
    if context.answered(row):
        return judged(row, context)
    if context.now >= row.deadline:
        return settle(row, State.FAILED, "deadline")
    if context.operation.mode is Mode.RESOURCE:
        return row, (Acquire(),)
    return create(row, context)


def _pending_woken(row: Row, context: DecisionContext) -> Decision:
    late = context.now - row.deadline
    if late >= (0 if row.todo else context.policy.stuck):
        return too_late(row, context)
    if late >= 0 and surely_expired(row, context):
        return settle(row, State.EXPIRED, "vendor_deadline")
    return read_document(row) if row.todo else read_status(row)


def _unknown_woken(row: Row, context: DecisionContext) -> Decision:
    """Resolve an ambiguous attempt: read, repeat under the same id, or park it for a person."""
    if not context.recoverable(row) or context.now >= row.deadline:
        return park(row, "unknown_outcome")
    if context.readable(row):
        return read_status(row)
    return create(row, context)
