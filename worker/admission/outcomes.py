"""What one vendor answer means for all workers: limits, holds, breakers; knows nothing of rows."""

import logging
from typing import Final

from satyapan.records import Row
from worker.admission.admission import Gate, Go
from worker.rules.answer import Answer, Outcome

_FAILED: Final = frozenset({Outcome.UNKNOWN, Outcome.NOT_SENT})

log = logging.getLogger("satyapan.heed")


def heed(gate: Gate, row: Row, route: str, limit: int, passed: Go, answer: Answer) -> None:
    """Tell the gate what came of a call; `limit` is the configured one.

    Raises:
        redis.RedisError: not told; the next answer tells it again.
    """
    if answer.limit and min(answer.limit, passed.limit) < limit:
        gate.learn(row.account, route, min(answer.limit, limit))
    if answer.outcome is Outcome.THROTTLED:
        _throttled(gate, row, route, answer)
    _judge_route(gate, row, route, passed, answer)
    if answer.outcome is Outcome.STOPPED:
        _say("account stopped", row, route, answer.code)
        gate.stop(row.account, answer.code, probe=passed.probe)
    elif answer.http and passed.probe:
        gate.resume(row.account)


def _judge_route(gate: Gate, row: Row, route: str, passed: Go, answer: Answer) -> None:
    """Update the route's breaker."""
    if answer.outcome in _FAILED:
        _failed(gate, row, route, passed, answer)
    elif answer.outcome is Outcome.MISCONFIGURED:
        _misconfigured(gate, row, route, passed, answer)
    elif passed.probe:
        gate.resume(row.account, route)
    elif passed.failing:
        gate.answered(row.account, route)


def _throttled(gate: Gate, row: Row, route: str, answer: Answer) -> None:
    if answer.account_wide:
        gate.hold_account(row.account, answer.not_before_s)
    else:
        gate.hold(row.account, route, answer.not_before_s)


def _failed(gate: Gate, row: Row, route: str, passed: Go, answer: Answer) -> None:
    if gate.fail(row, route, answer.code, probe=passed.probe):
        _say("vendor breaker opened", row, route, answer.code)


def _misconfigured(gate: Gate, row: Row, route: str, passed: Go, answer: Answer) -> None:
    if gate.refuse(row.account, route, answer.code, probe=passed.probe) or passed.probe:
        _say("route held until the settings are mended", row, route, answer.code)


def _say(what: str, row: Row, route: str, code: str) -> None:
    log.warning(what, extra={"account": row.account, "route": route, "code": code})
