"""Asks for a status read because a person came back: at most one at a time for a verification."""

from typing import Final

from redis import Redis

from callbacks.metrics import Metrics
from satyapan.broker import Waker
from satyapan.names import LOOK, Keys

EVERY_MS: Final = 2_000
"""The shortest time between two looks at one verification that browsers can bring about."""


class Looks:
    """Asks workers to look. Redis errors pass through: the caller shows a page that says so."""

    def __init__(self, redis: Redis, keys: Keys, waker: Waker, metrics: Metrics) -> None:
        self._redis = redis
        self._keys = keys
        self._waker = waker
        self._metrics = metrics

    def ask(self, verification_id: str) -> bool:
        """Ask for one look and tell whether this was the one that asked."""
        mark = self._keys.looked(verification_id)
        first = bool(self._redis.set(mark, 1, nx=True, px=EVERY_MS))
        self._metrics.looked(asked=first)
        if first:
            self._waker.wake(LOOK, [verification_id])
        return first
