"""Keeps an eye on the Redis that holds the ledger: are workers at work, was it away?

What one worker notices holds for all, so it is noted there (see names.Keys.server).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from satyapan.names import Keys
from satyapan.scripts import load

_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outage:
    """What a Redis that was away means for claims (times in ms).

    After it, whoever holds an answer repeats its commit. Nobody takes over a claim whose lease
    ended until such a commit had its chance.
    """

    gap: int = 5_000
    """No worker swept for so long: Redis was away, or all workers were."""
    grace: int = 8_000
    """How long claims are left to their holders then."""


class Watch:
    """One per worker process."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        outage: Outage,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._outage = outage
        self._monotonic = monotonic
        self._mark: Any = load(redis, "worker", "mark")
        self._next = float("-inf")

    def look(self) -> None:
        """Note that a worker swept; at most once a second.

        Raises:
            redis.RedisError: not noted; look again later.
        """
        now = self._monotonic()
        if now >= self._next:
            self._mark(keys=[self._keys.swept, self._keys.server], args=[self._outage.gap])
            self._next = now + _EVERY_S
