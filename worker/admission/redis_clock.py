"""Detect jumps of Redis' clock by comparing it with this process's monotonic clock.

Every time that is stored comes from Redis' clock. If it jumps forward, calls look older than they
are, and the quota would be used a second time. No clock is read here: every time is passed in.
"""

import threading
from dataclasses import dataclass
from typing import Final

TOLERANCE_MS: Final = 250
"""A jump up to this is not detected: the quota's margin covers it."""
_DRIFT: Final = 0.001
"""ntpd corrects a clock by at most 500 millionths, so two clocks drift apart by twice that."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock jumped forward by at least `ms`, within the last `within_ms`."""

    ms: int
    within_ms: int


class RedisClock:
    """The known difference between Redis' clock and ours; threads share it.

    A reading of Redis' clock was taken at some time between the question and its reply, so it says
    in which span (ms) the difference lies. A span beyond the known one means a jump.
    Many small steps forward add up to one, however often they are read.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._span: tuple[float, float] | None = None
        self._read_s = 0.0
        self._pending: tuple[int, float] | None = None

    def read(self, redis_ms: int, asked_s: float, replied_s: float) -> Jump | None:
        """Record a reading; return a jump forward, again at each reading until `confirm` is called.

        Seconds are monotonic ones of this process.
        """
        with self._lock:
            self._take(redis_ms - replied_s * 1000, redis_ms - asked_s * 1000, replied_s)
            if self._pending is None:
                return None
            ms, since_s = self._pending
            return Jump(ms, round((replied_s - since_s) * 1000))

    def confirm(self) -> None:
        """Note that calls are held because of the jump."""
        with self._lock:
            self._pending = None

    def _take(self, least: float, most: float, now_s: float) -> None:
        before_s, self._read_s = self._read_s, now_s
        if self._span is None:
            self._span = least, most
            return
        drift = max(0.0, now_s - before_s) * 1000 * _DRIFT
        low, high = self._span[0] - drift, self._span[1] + drift
        if least > high + TOLERANCE_MS:
            self._pending = round(least - high), before_s
            self._span = least, most
        elif most < low:  # back: that only delays
            self._span = least, most
        elif least > high:
            self._span = low, high
        else:
            self._span = max(low, least), min(high, most)
