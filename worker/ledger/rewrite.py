"""Have Redis rewrite its append-only file after `forget`: it still holds the old commands."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from satyapan.names import Keys
from satyapan.redis.server_time import now_ms
from worker.throttle import Throttle

PAUSE_MS: Final = 600_000
"""The shortest time between two rewrites: each copies the whole ledger to disk."""
_EVERY_S: Final = 1.0

log = logging.getLogger("satyapan.rewrite")


def want_rewrite(redis: Redis, keys: Keys) -> None:
    """Request a rewrite, because the append-only file still holds copies of shredded data."""
    now = now_ms(redis)
    redis.zadd(keys.rewrite_wanted, {str(now): now})


class Rewrite:
    """Runs the requested rewrites; every worker process has one, and any of them can do it."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        pause_ms: int = PAUSE_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis: Any = redis
        self._keys = keys
        self._pause_ms = pause_ms
        self._monotonic = monotonic
        self._throttle = Throttle(_EVERY_S)

    def step(self) -> None:
        """Begin a requested rewrite, or record its end; at most once a second.

        Raises:
            redis.RedisError: Redis is away; nothing was lost.
        """
        now = self._monotonic()
        if not self._throttle.ready(now):
            return
        self._throttle.done(now)
        if not self._redis.exists(self._keys.rewrite_wanted):
            return
        begun: bytes | None = self._redis.get(self._keys.rewrite_begun)
        if begun is None:
            self._begin()
            return
        began, _, before = begun.decode().partition(" ")
        if self._ended(int(before or 0)):
            # What was shredded after the rewrite began waits for the next one.
            self._redis.zremrangebyscore(self._keys.rewrite_wanted, "-inf", f"({began}")

    def _begin(self) -> None:
        key, info = self._keys.rewrite_begun, self._redis.info("persistence")
        mark = f"{now_ms(self._redis)} {info['aof_rewrites']}"
        if not info["aof_enabled"]:
            self._redis.delete(self._keys.rewrite_wanted)
        elif self._redis.set(key, mark, nx=True, px=self._pause_ms):
            try:
                self._redis.bgrewriteaof()
            except ResponseError as error:
                self._refused(error)

    def _refused(self, error: ResponseError) -> None:
        """Try again: soon after a rewrite that runs already and began too early, else later."""
        if "in progress" in str(error):
            self._redis.delete(self._keys.rewrite_begun)
            return
        self._redis.set(self._keys.rewrite_begun, 0, px=self._pause_ms)
        log.warning("Redis doesn't rewrite its file", extra={"code": type(error).__name__})

    def _ended(self, before: int) -> bool:
        """Return True if a rewrite succeeded after the first `before`, and none is under way.

        The server counts them from its start: after a restart this waits for the next one.
        """
        info = self._redis.info("persistence")
        busy = info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]
        went_well = info["aof_last_bgrewrite_status"] == "ok"
        return not busy and went_well and info["aof_rewrites"] > before
