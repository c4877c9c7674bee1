"""What a create call's answer means for the row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from satyapan.kinds.model import Mode
from satyapan.kinds.values import time_ms, value_at
from satyapan.records import Row, State
from worker.rules.answer import Answer, Outcome
from worker.rules.model import Decision, DecisionContext, Emit
from worker.rules.moves import (
    again,
    judged,
    lose,
    note_ambiguous,
    park,
    pend,
    read_status,
    settle,
    shown,
)

_LONGEST_LINK_MS: Final = 30 * 86_400_000
_UNSPENT = frozenset(
    {
        Outcome.WAIT,
        Outcome.NOT_SENT,
        Outcome.THROTTLED,
        Outcome.STOPPED,
        Outcome.MISCONFIGURED,
        Outcome.NOT_ENABLED,
    }
)


def created(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    """Decide after a create call."""
    # A reference of a call that executed nothing must not be read after a later, ambiguous one,
    # nor that of an ambiguous call after a later one that was answered.
    named = "" if answer.outcome in _UNSPENT else answer.reference
    earlier = "" if answer.outcome is Outcome.OK else row.reference
    row = replace(row, http=answer.http, reference=named or earlier)
    if answer.outcome is Outcome.OK:
        return _accepted(row, answer, context)
    if answer.outcome in _UNSPENT:
        return again(row, answer, context)
    if answer.outcome in {Outcome.REFUSED, Outcome.MISSING, Outcome.GONE}:
        return _refused(row, answer)
    if answer.outcome is Outcome.DUPLICATE:
        return _duplicate(row, context)
    return note_ambiguous(row, answer.code, context)


def _accepted(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    """Store the answer: it is the result, or the link of a journey that begins."""
    body = dict(answer.body or {})
    link = str(body.get(context.operation.link_field, ""))
    status = shown(answer.status, context.operation.status_map)
    row = replace(row, link=link, tries=0, status=status)
    if context.operation.mode is Mode.JOURNEY and link:
        return _begun(row, body, context)
    return judged(replace(row, draft=body), context)


def _begun(row: Row, reply: Mapping[str, Any], context: DecisionContext) -> Decision:
    """Start the clock of a journey: the link's life, then the data's."""
    operation = context.operation
    handoff = {name: reply[name] for name in operation.handoff_fields[1:] if name in reply}
    deadline = _link_end(reply, context) + operation.data_life_s * 1000
    row = replace(row, handoff=handoff, deadline=deadline)
    return pend(row, context), (Emit("link_ready"),)


def _link_end(reply: Mapping[str, Any], context: DecisionContext) -> int:
    """Return until when (ms) a person can act: as the vendor says, if that is plausible."""
    usual = context.now + context.operation.link_life_s * 1000
    said = time_ms(value_at(reply, context.operation.deadline_field)) or 0
    return said if context.now < said <= context.now + _LONGEST_LINK_MS else usual


def _refused(row: Row, answer: Answer) -> Decision:
    """Believe a refusal only if no earlier attempt is ambiguous (I5)."""
    if row.ambiguous:
        return park(row, f"refused_in_doubt/{answer.code}")
    return settle(replace(row, refused_field=answer.refused_field), State.REFUSED, answer.code)


def _duplicate(row: Row, context: DecisionContext) -> Decision:
    """Distinguish a lost answer from an id that we never sent."""
    if not row.ambiguous:
        # Redis lost the row, or retention ended: of a journey nothing is lost but its link.
        journey = context.operation.mode is Mode.JOURNEY
        return (
            lose(row, "foreign_duplicate", context) if journey else park(row, "foreign_duplicate")
        )
    if context.readable(row):
        return read_status(replace(row, state=State.UNKNOWN))
    return lose(row, "lost_answer", context)
