"""Redis' clock as Python reads it; scripts read it by satyapan/lua/time.lua."""

from typing import Any


def now_ms(redis: Any) -> int:  # noqa: ANN401  redis-py types a reply as sync or async
    """Return the time (ms) on Redis' clock.

    Raises:
        redis.RedisError: the server is away or refused.
    """
    seconds, micros = redis.time()
    return int(seconds) * 1000 + int(micros) // 1000
