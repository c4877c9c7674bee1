"""Record in Redis what workers notice of it: that they sweep, that it was away, how durable it is.

What one worker records holds for all (see names.Keys.server).
"""

import time
from collections.abc import Callable
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from config.servers import sync_settings
from satyapan.names import Keys
from satyapan.redis.scripts import load
from worker.admission.limiter import Limiter
from worker.admission.redis_clock import RedisClock
from worker.throttle import Throttle

_EVERY_S: Final = 1.0


class Marker:
    """One per worker process; without a sweep for `gap_ms`, Redis was away, or all workers."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        limiter: Limiter,
        clock: RedisClock,
        gap_ms: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis: Any = redis
        self._keys = keys
        self._limiter = limiter
        self._clock = clock
        self._gap_ms = gap_ms
        self._monotonic = monotonic
        self._script: Any = load(redis, "worker", "mark")
        self._throttle = Throttle(_EVERY_S)

    def mark(self) -> None:
        """Record that a worker swept, and how durable this server is; at most once a second.

        Raises:
            redis.RedisError: it was not recorded; mark again later.
        """
        asked = self._monotonic()
        if not self._throttle.ready(asked):
            return
        was_cut_off = self._throttle.since(asked) * 1000 > self._gap_ms
        arguments = [self._gap_ms, *self._durable(), int(was_cut_off)]
        (now,) = self._script(keys=[self._keys.swept, self._keys.server], args=arguments)
        jump = self._clock.read(now, asked, self._monotonic())
        if jump:
            self._limiter.hold_all(jump, self._clock.confirm).now()
        self._throttle.done(asked)

    def _durable(self) -> tuple[str, int]:
        """Return the id of this server's data, and 1 if each write is on disk when confirmed.

        With replicas it isn't certain: one that is promoted may lack the last writes.
        """
        syncs = sync_settings(self._redis)
        with self._redis.pipeline(transaction=False) as asking:
            asking.info("replication").info("persistence")
            found = asking.execute(raise_on_error=False)
        if any(isinstance(each, RedisError) for each in found):
            return "", 0  # a server that refuses INFO; one that is away fails the mark too
        replication, persistence = found
        always = syncs.get("appendfsync") == "always"
        always = always and syncs.get("no-appendfsync-on-rewrite") == "no"
        alone = not replication["connected_slaves"]
        durable = always and alone and bool(persistence["aof_enabled"])
        return str(replication["master_replid"]), int(durable)
