"""Operators' actions on a parked row, and why some are refused."""

from dataclasses import replace

from satyapan.kinds.model import Mode
from satyapan.records import Row, State
from worker.rules.model import ByHand, Decision, DecisionContext, Emit, Forgotten, Redriven
from worker.rules.moves import renew, settle, stored_status


class ActionRefused(Exception):
    """The action would break a promise; the text says which, and what to do instead."""


def by_hand(row: Row, event: ByHand, context: DecisionContext) -> Decision:
    """Decide about an operator's action.

    Raises:
        ActionRefused: the row is not parked, or the action would break a promise.
    """
    if row.state is not State.PARKED:
        raise ActionRefused(f"{row.id} is {row.state}: only PARKED verifications move by hand")
    if isinstance(event, Redriven):
        return _redrive(row, context)
    if isinstance(event, Forgotten):
        return settle(row, State.FAILED, f"forgotten/{row.reason}")
    return _reissue(row, event.by, context)


def _redrive(row: Row, context: DecisionContext) -> Decision:
    """Continue from where it was parked, under the same vendor-side id."""
    deadline = max(row.deadline, context.now + context.policy.second_life)
    row = replace(row, due=context.now, deadline=deadline, tries=0, misses=0)
    if context.answered(row) and _may_change(row, context):
        # It has answered, so nothing is in doubt.
        row = replace(row, ambiguous=0)
        return replace(row, state=State.PENDING, reason="redriven"), (Emit("redriven"),)
    if context.answered(row):
        return replace(row, state=State.ACCEPTED, reason="redriven"), (Emit("redriven"),)
    _refuse_harm(row, context)
    accepted = context.operation.status_map.get(row.status) is State.PENDING
    waits = row.link or row.parent or accepted
    state = State.UNKNOWN if row.ambiguous else State.PENDING if waits else State.ACCEPTED
    return replace(row, state=state, reason="redriven", attempts=0), (Emit("redriven"),)


def _may_change(row: Row, context: DecisionContext) -> bool:
    """Return True if a read may say more than the stored answer."""
    operation = context.operation
    if operation.mode is Mode.ASYNC:  # the vendor works on
        return True
    return context.readable(row) and stored_status(row, operation) not in operation.status_map


def _refuse_harm(row: Row, context: DecisionContext) -> None:
    """Refuse a repeat that could be paid for again, or that can have no answer."""
    if row.ambiguous and not context.recoverable(row):
        raise ActionRefused(
            f"{row.id} may have been executed, and nothing at the vendor stops a second charge: "
            "make sure on the vendor's dashboard, then reissue"
        )
    if row.reason.startswith(("lost_answer", "foreign_duplicate")):
        raise ActionRefused(
            f"the vendor answered that it had {row.id} before: the same id can only be refused, "
            "and the earlier answer is lost or may be another request's; reissue it if it is worth "
            "a second charge"
        )


def _reissue(row: Row, by: str, context: DecisionContext) -> Decision:
    """Buy again under a new vendor-side id: capped, and recorded with the operator's name."""
    if row.parent:
        raise ActionRefused(
            f"{row.id} is a visit to a shared link: nothing was bought, so redrive it"
        )
    if row.generation >= context.policy.max_generations:
        raise ActionRefused(
            f"{row.id} has had {row.generation} generations, the most that the settings allow"
        )
    deadline = max(row.deadline, context.now + context.policy.second_life)
    return renew(replace(row, deadline=deadline), f"by_{by}", context)
