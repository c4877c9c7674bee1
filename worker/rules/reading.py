"""What status and document reads mean: the status read decides."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from satyapan.kinds.consent import UNAVAILABLE, shortfall
from satyapan.kinds.model import Mode, Recovery
from satyapan.records import Row, State
from worker.rules.answer import Answer, Outcome
from worker.rules.model import Decision, DecisionContext
from worker.rules.moves import (
    again,
    create,
    judged,
    lose,
    park,
    pend,
    read_document,
    rest,
    settle,
    shown,
)

_ITEM: Final = re.compile(r"[A-Z0-9_]{1,40}", re.ASCII)


def status_read(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    """Decide after a status read."""
    row = replace(row, http=answer.http)
    if answer.outcome is Outcome.OK:
        return _known(replace(row, asking=""), answer, context)
    row = replace(row, ask=row.asking or row.ask, asking="")
    if answer.outcome is Outcome.MISSING:
        return _not_known(row, answer, context)
    return again(row, answer, context)


def _known(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    body, state = dict(answer.body or {}), context.operation.status_map.get(answer.status)
    row = replace(row, status=shown(answer.status, context.operation.status_map), misses=0)
    # Found by our id, the reference that an ambiguous call named may be another's.
    by_id = row.state is State.UNKNOWN and context.operation.recovery is Recovery.READ
    row = replace(row, reference=answer.reference or ("" if by_id else row.reference))
    journey = context.operation.mode is Mode.JOURNEY
    if state is None:
        return park(replace(row, draft=body), "unknown_status")
    if journey and not row.link and state in {State.PENDING, State.EXPIRED}:
        return lose(row, "lost_link", context)
    if state is State.PENDING:
        return _still_open(row, context)
    if not journey:
        return judged(replace(row, draft=body), context)
    if state is State.DONE and context.operation.document:
        return _consented(row, body, context)
    return settle(row, state, "" if state is State.DONE else answer.status.lower(), result=body)


def _still_open(row: Row, context: DecisionContext) -> Decision:
    """Poll on until the deadline, or until a webhook said what no read can."""
    if row.evidence in context.operation.webhook_only_statuses:
        return _by_evidence(row, context)
    if context.now >= row.deadline and context.operation.mode is not Mode.JOURNEY:
        return park(row, "still_pending")
    if context.now >= row.deadline:
        return settle(row, State.EXPIRED, "vendor_deadline")
    if row.state is State.UNKNOWN:
        return pend(row, context), ()
    row = replace(row, tries=row.tries + 1, found_open=row.checked)
    return rest(row, min(context.next_poll(row.tries), row.deadline), ""), ()


def _consented(row: Row, body: Mapping[str, Any], context: DecisionContext) -> Decision:
    """Record which documents may be fetched; a null or empty consent means none."""
    items = body.get(context.operation.items_field or "") or []
    todo = tuple(dict.fromkeys(i for i in items if isinstance(i, str) and _ITEM.fullmatch(i)))
    row = replace(row, state=State.PENDING, tries=0, todo=todo, draft={**body, "documents": {}})
    row = replace(row, deadline=context.now + context.operation.data_life_s * 1000)
    return _onward(row, context)


def _not_known(row: Row, answer: Answer, context: DecisionContext) -> Decision:
    """Read again before believing it: the create call may still be under way."""
    row = replace(row, misses=row.misses + 1)
    if row.state is State.UNKNOWN and row.misses > 1:
        if not context.operation.repeatable:
            return park(row, "unknown_outcome")  # nothing at the vendor stops a second charge
        return create(row, context)
    if row.state is State.PENDING and context.now >= row.deadline:
        return park(row, "vendor_forgot")
    return again(row, answer, context)


def document_read(row: Row, item: str, answer: Answer, context: DecisionContext) -> Decision:
    """Decide after a document read."""
    row = replace(row, http=answer.http)
    if answer.outcome is Outcome.OK:
        return _filed(row, item, dict(answer.body or {}), context)
    if answer.outcome in {Outcome.GONE, Outcome.REFUSED, Outcome.MISSING, Outcome.DUPLICATE}:
        return _filed(row, item, _unavailable(answer.code), context)
    return again(row, answer, context)


def _filed(row: Row, item: str, document: Mapping[str, Any], context: DecisionContext) -> Decision:
    draft = dict(row.draft or {})
    draft["documents"] = {**draft.get("documents", {}), item: document}
    todo = tuple(name for name in row.todo if name != item)
    return _onward(replace(row, draft=draft, todo=todo, tries=0), context)


def _unavailable(reason: str) -> Mapping[str, Any]:
    return {"status": UNAVAILABLE, "reason": reason}


def _onward(row: Row, context: DecisionContext) -> Decision:
    return read_document(row) if row.todo else finish(row, context)


def finish(row: Row, context: DecisionContext) -> Decision:
    """End a journey with what was shared and fetched; FAILED if all that was shared is gone."""
    documents = (row.draft or {}).get("documents", {})
    missed = [d["reason"] for d in documents.values() if d.get("status") == UNAVAILABLE]
    if missed and len(missed) == len(documents):
        return settle(row, State.FAILED, missed[0], result=row.draft)
    reason = shortfall(context.operation, row.request, documents)
    return settle(row, State.DONE, reason, result=row.draft)


def too_late(row: Row, context: DecisionContext) -> Decision:
    """End a journey whose deadline passed: documents by what is there, status by evidence."""
    if row.todo:
        draft = dict(row.draft or {})
        gone = {item: _unavailable("deadline") for item in row.todo}
        draft["documents"] = {**draft.get("documents", {}), **gone}
        return finish(replace(row, draft=draft, todo=()), context)
    return _by_evidence(row, context)


def surely_expired(row: Row, context: DecisionContext) -> bool:
    """Return True if no read can say more: all data is gone, and no person acted in time.

    A read that was sent after the link's life was over was answered "pending", so no person can act
    any more; and neither a webhook nor a later answer says otherwise.
    """
    link_ended = row.deadline - context.operation.data_life_s * 1000
    pending = context.operation.status_map.get(row.status) is State.PENDING
    uncertain = row.evidence or row.ask or row.asking or row.misses
    return (
        context.operation.mode is Mode.JOURNEY
        and pending
        and row.found_open >= link_ended
        and not uncertain
    )


def _by_evidence(row: Row, context: DecisionContext) -> Decision:
    """Believe a signed webhook that ended the journey; a claimed success has no data to show."""
    claimed = context.operation.status_map.get(row.evidence)
    if claimed in {State.EXPIRED, State.DENIED, State.FAILED}:
        return settle(row, claimed, f"webhook/{row.evidence.lower()}")
    return park(row, "status_unreadable")
