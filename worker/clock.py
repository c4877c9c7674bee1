"""Notices when Redis' clock jumps, by the one clock that never does: this process's monotonic one.

All times that matter are Redis'. If its clock jumps forward, calls look older than they are, and
the quota would be used a second time. Pure: every time is passed in.
"""

import threading
from dataclasses import dataclass
from typing import Final

TOLERANCE_MS: Final = 250
"""Two clocks may differ by so much between two readings: rounding, slewing, another machine."""
_DRIFT: Final = 0.001
"""Clocks that are being corrected run apart by at most 500 millionths each."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock jumped forward by at least `ms`, within the last `within_ms`."""

    ms: int
    within_ms: int


class RedisClock:
    """What is known of the difference between Redis' clock and ours; threads share it.

    A reading of Redis' clock was taken at some time between the question and its reply, so it says
    in which span the difference lies. Spans that have nothing in common tell of a jump.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._span: tuple[float, float] | None = None
        self._read = 0.0

    def read(self, redis_ms: int, asked_s: float, replied_s: float) -> Jump | None:
        """Take a reading in; return a jump forward. Seconds are monotonic ones of this process."""
        least, most = redis_ms - replied_s * 1000, redis_ms - asked_s * 1000
        with self._lock:
            known, self._span = self._span, (least, most)
            before, self._read = self._read, replied_s
            if known is None:
                return None
            drift = max(0.0, replied_s - before) * 1000 * _DRIFT
            low, high = known[0] - drift, known[1] + drift
            if least > high + TOLERANCE_MS:
                return Jump(round(least - high), round((replied_s - before) * 1000))
            if max(low, least) <= min(high, most):  # they agree: the narrowest span is kept
                self._span = max(low, least), min(high, most)
            return None
