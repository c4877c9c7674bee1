"""The vendor's rate limits: a sliding window for each account and route.

It also records the most calls that *arrived* within any window, refused ones included, so that
tests can check how the caller keeps the limits.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class QuotaDecision:
    """The limiter's decision about one call."""

    granted: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return the vendor's rate limit headers; the reset is in seconds from now."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass
class _Window:
    granted: deque[float] = field(default_factory=deque)
    arrived: deque[float] = field(default_factory=deque)
    peak: int = 0
    total: int = 0
    refused: int = 0


class Quota:
    """Grants or refuses calls, and records the peaks."""

    def __init__(
        self, limits: Mapping[str, int], window_s: float, clock: Callable[[], float]
    ) -> None:
        """Set the calls per window for each route, the window, and a clock in seconds."""
        self._limits = dict(limits)
        self._window_s = window_s
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = threading.Lock()

    def set_limit(self, route: str, limit: int) -> None:
        """Change the limit of ``route`` from now on."""
        with self._lock:
            self._limits[route] = limit

    def take(self, account: str, route: str) -> QuotaDecision:
        """Count a call and decide whether it is within the limit; a refused one uses no quota."""
        with self._lock:
            now = self._clock()
            window = self._windows.setdefault((account, route), _Window())
            self._arrive(window, now)
            limit = self._limits[route]
            granted = len(window.granted) < limit
            if granted:
                window.granted.append(now)
            else:
                window.refused += 1
            return QuotaDecision(
                granted, limit, max(0, limit - len(window.granted)), self._reset(window, now)
            )

    def _arrive(self, window: _Window, now: float) -> None:
        for times in (window.granted, window.arrived):
            while times and times[0] <= now - self._window_s:
                times.popleft()
        window.arrived.append(now)
        window.total += 1
        window.peak = max(window.peak, len(window.arrived))

    def _reset(self, window: _Window, now: float) -> int:
        oldest = window.granted[0] if window.granted else now
        return max(1, math.ceil(oldest + self._window_s - now))

    def report(self) -> list[dict[str, object]]:
        """Return limit, calls, refusals and most arrivals in a window, by account and route."""
        with self._lock:
            return [
                {
                    "account": account,
                    "route": route,
                    "limit": self._limits[route],
                    "window_s": self._window_s,
                    "calls": window.total,
                    "refused": window.refused,
                    "peak": window.peak,
                }
                for (account, route), window in sorted(self._windows.items())
            ]

    def reset(self) -> None:
        """Forget all calls; the limits stay."""
        with self._lock:
            self._windows.clear()
