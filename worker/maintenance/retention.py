"""End parked rows that no operator decided about: no private data is kept for ever."""

import logging
import time
from collections.abc import Callable
from typing import Final

from satyapan.errors import SatyapanError
from worker.operator.actions import OperatorActions
from worker.rules.person import ActionRefused
from worker.throttle import Throttle

BY: Final = "retention"
"""The name under which it is written to the audit log."""
_EVERY_S: Final = 600.0
_MOST: Final = 1000
"""Rows per step; the rest follows in the next."""

log = logging.getLogger("satyapan.retention")


class Retention:
    """Forgets parked rows that no operator decided about in time. One per worker process."""

    def __init__(
        self,
        operator: OperatorActions,
        parked_ms: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator = operator
        self._parked_ms = parked_ms
        self._monotonic = monotonic
        self._throttle = Throttle(_EVERY_S)

    def step(self) -> None:
        """End and shred rows that were parked for too long; at most every ten minutes.

        Raises:
            Unavailable, redis.RedisError: Redis is away; nothing was lost.
        """
        now = self._monotonic()
        if not self._throttle.ready(now):
            return
        self._throttle.done(now)
        for verification_id in self._operator.ledger.parked_for(self._parked_ms, _MOST):
            try:
                self._operator.forget(verification_id)
            except (ActionRefused, SatyapanError) as error:  # the others may still be forgotten
                fields = {"id": verification_id, "code": type(error).__name__}
                log.warning("parked for too long, and not forgotten", extra=fields)
