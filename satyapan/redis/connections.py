"""Connections to Redis. Opening one is left to the first command."""

from typing import Any, Final

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from satyapan.redis.master_connection import following_master
from satyapan.settings.producer import ProducerSettings

_CONNECTIONS: Final = 64
_HEALTH_S: Final = 10


def connect(settings: ProducerSettings, role: str) -> Redis:
    """Build a client for reads and writes that answer at once. Replies are bytes.

    Nothing is ever sent twice by itself: a write whose reply was lost may have been done, and
    only the caller knows how to find out. A thread that finds all connections busy waits for
    one as long as for an answer, then gets redis.ConnectionError. A connection leaves a server
    that is no longer the master.
    """
    options: dict[str, Any] = {
        "client_name": f"{settings.prefix}-{role}",
        "decode_responses": False,
        # By default redis-py retries a command up to ten times.
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": settings.redis_read_timeout_s,
        "health_check_interval": _HEALTH_S,
        "max_connections": _CONNECTIONS,
        "timeout": settings.redis_read_timeout_s,
    }
    if not settings.redis_url.startswith("unix:"):
        options["socket_connect_timeout"] = settings.redis_connect_timeout_s
        options["socket_keepalive"] = True
    pool = BlockingConnectionPool.from_url(settings.redis_url, **options)
    pool.connection_class = following_master(pool.connection_class)
    return Redis.from_pool(pool)
