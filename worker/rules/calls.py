"""The row of a call that was admitted, and of one that has to wait."""

from dataclasses import replace

from satyapan.kinds.model import Role
from satyapan.records import Row, State
from worker.rules.model import Call
from worker.rules.moves import rest


def admitted(row: Row, call: Call, now: int) -> Row:
    """Return the row that is made durable together with the quota slot, before the first byte.

    Only this function marks a row with a call, so that a row whose call can't go now has no mark.
    """
    if call.role is Role.CREATE:
        return replace(row, state=State.SENT, attempts=row.attempts + 1, misses=0)
    if call.role is Role.DOCUMENT:
        return replace(row, checked=now)
    ask = row.ask or row.asking
    return replace(row, checked=now, ask="", asking=ask, asks=row.asks + bool(ask))


def deferred(row: Row, until: int, reason: str, now: int) -> Row:
    """Return the row that waits because its call, or its shared resource, must wait until `until`.

    It is committed as it is: nothing was sent, so there is nothing to decide. No row waits beyond
    its deadline, unless that has passed.
    """
    late = now >= row.deadline
    return rest(row, until if late else min(until, row.deadline), reason)
