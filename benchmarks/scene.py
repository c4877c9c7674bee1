"""Shared parts of the benchmarks that run a whole installation against the sandbox vendor.

They need production's settings instead of a stack's short times, and the same figures from the
list of calls that the sandbox keeps.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from benchmarks.report import Report
from demo.local_stack import LocalStack

Call = Mapping[str, Any]
"""One call as the sandbox recorded it: at (Unix seconds), route, verification_id, status ..."""

_SHORTENED: Final = (
    "SATYAPAN_BREAKER_COOL_DOWN_MOST_S",
    "SATYAPAN_BREAKER_COOL_DOWN_S",
    "SATYAPAN_CASHFREE_CONNECT_TIMEOUT_S",
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S",
    "SATYAPAN_VISIBILITY_TIMEOUT_S",
    "SATYAPAN_WORKER_BACKOFF_CAP_S",
    "SATYAPAN_WORKER_CONCURRENCY",
    "SATYAPAN_WORKER_POLL_MAX_S",
    "SATYAPAN_WORKER_POLL_MIN_S",
    "SATYAPAN_WORKER_PROBE_S",
    "SATYAPAN_WORKER_SOFT_SHUTDOWN_S",
    "SATYAPAN_WORKER_SWEEP_S",
)
DEFAULTS: Final[Mapping[str, str]] = dict.fromkeys(_SHORTENED, "")
"""Variables that undo a stack's short times: an empty variable means the default."""


def quota_environment(limits: Mapping[str, int], window_s: int, margin_ms: int) -> dict[str, str]:
    """Return the default settings with these limits; routes are written with underscores."""
    pairs = (f"{route}={limit}" for route, limit in limits.items())
    return {
        **DEFAULTS,
        "SATYAPAN_QUOTA_PER_MINUTE": ",".join(pairs),
        "SATYAPAN_QUOTA_WINDOW_S": str(window_s),
        "SATYAPAN_QUOTA_MARGIN_MS": str(margin_ms),
    }


def sandbox_options(limits: Mapping[str, int], window_s: int) -> list[str]:
    """Return the sandbox's options for the same limits."""
    words = [word for route in limits for word in ("--quota", f"{route}={limits[route]}")]
    return [*words, "--quota-window", str(window_s)]


def calls_of(stack: LocalStack, route: str) -> list[Call]:
    """Return the calls of a route that the sandbox has received, oldest first."""
    return [call for call in stack.control("calls")["calls"] if call["route"] == route]


def peak(calls: Sequence[Call], window_s: float) -> int:
    """Return the most calls in any sliding window."""
    times = sorted(call["at"] for call in calls)
    ends = (bisect_left(times, start + window_s) for start in times)
    return max((end - place for place, end in enumerate(ends)), default=0)


def refused(calls: Sequence[Call]) -> int:
    """Return the number of calls that the vendor answered with 429."""
    return sum(call["status"] == HTTPStatus.TOO_MANY_REQUESTS for call in calls)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: of 30 values the 99th is the largest."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def missed(report: Report) -> bool:
    """Return True if a figure of the report misses its goal."""
    return any(figure.verdict != "reached" for figure in report.figures)
