"""Admission: may a call go now? The limiter and the breakers, and what each outcome means for them.

Knows nothing of what a row becomes: that is decided by worker/rules.
"""

import logging
from dataclasses import dataclass
from typing import Final

from satyapan.records import Row
from worker.admission.breakers import Breakers
from worker.admission.limiter import Admitted, Limiter
from worker.rules.answer import Answer, Outcome

_FAILED: Final = frozenset({Outcome.UNKNOWN, Outcome.NOT_SENT})
_HELD: Final = {
    Outcome.MISCONFIGURED: "route held until the settings are corrected",
    Outcome.NOT_ENABLED: "route held until the vendor enables the product",
}
"""Outcomes that every call of the route would have, to the log's text."""

log = logging.getLogger("satyapan.admission")


@dataclass(frozen=True, slots=True)
class Admission:
    """The limiter and the breakers of one installation."""

    limiter: Limiter
    breakers: Breakers

    def record_outcome(
        self, row: Row, route: str, limit: int, admitted: Admitted, answer: Answer
    ) -> None:
        """Record the outcome of a call for all workers; `limit` is the configured one.

        Raises:
            redis.RedisError: it was not recorded; the next answer says the same.
        """
        if answer.limit and min(answer.limit, admitted.limit) < limit:
            self.limiter.learn(row.account, route, min(answer.limit, limit))
        if answer.outcome is Outcome.THROTTLED:
            held = "" if answer.account_wide else route
            self.limiter.hold(row.account, held, answer.not_before_s)
        self._update_route(row, route, admitted, answer)
        if answer.outcome is Outcome.STOPPED:
            _log("account stopped", row, route, answer.code)
            self.breakers.stop(row.account, answer.code, probe=admitted.probe)
        elif answer.http and admitted.probe:
            self.breakers.resume(row.account)

    def _update_route(self, row: Row, route: str, admitted: Admitted, answer: Answer) -> None:
        """Update the route's breaker."""
        if answer.outcome in _FAILED:
            if self.breakers.fail(row, route, answer.code, probe=admitted.probe):
                _log("vendor breaker opened", row, route, answer.code)
        elif answer.outcome in _HELD:
            opened = self.breakers.refuse(row.account, route, answer.code, probe=admitted.probe)
            if opened or admitted.probe:
                _log(_HELD[answer.outcome], row, route, answer.code)
        elif admitted.probe:
            self.breakers.resume(row.account, route)
        elif admitted.failing:
            self.breakers.answered(row.account, route)


def _log(what: str, row: Row, route: str, code: str) -> None:
    log.warning(what, extra={"account": row.account, "route": route, "code": code})
