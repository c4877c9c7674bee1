"""Shared resources: one creation at a time, and visitors to a shared link."""

from dataclasses import replace

from satyapan.records import Row, State
from worker.rules.model import Cached, Decision, DecisionContext, Emit, VisitorWebhook
from worker.rules.moves import rest, settle, shown


def cached(row: Row, event: Cached) -> Decision:
    """Copy what the resource's owner got; nothing is called or paid."""
    row = replace(row, status=event.status, reference=event.reference, link=event.link)
    return settle(row, State.DONE, result=event.result)


def visitor_reported(row: Row, event: VisitorWebhook) -> Decision:
    """Record what a webhook reports of a visitor: it is signed, so it is evidence."""
    row = replace(row, status=shown(event.status), reference=event.reference or row.reference)
    if event.state is State.PENDING:
        row = replace(row, state=State.PENDING, draft=event.body, due=row.deadline)
        return row, (Emit("progress"),)
    return settle(row, event.state, result=event.body)


def visitor_woken(row: Row, context: DecisionContext) -> Decision:
    """End a visit that was never finished."""
    if context.now < row.deadline:
        return rest(row, row.deadline, row.reason), ()
    return settle(row, State.EXPIRED, "vendor_deadline", result=row.draft)
