"""Redis clients by role. Building one opens no connection."""

from dataclasses import replace
from typing import Any, Final

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.settings import Settings
from satyapan.settings import ProducerSettings

_CONNECTIONS: Final = 64
_HEALTH_S: Final = 10


def ledger_client(settings: ProducerSettings | Settings, role: str = "ledger") -> Redis:
    """Build the client for reads and writes that answer at once. Replies are bytes.

    Nothing is ever sent twice by itself: a write whose reply was lost may have been done, and
    only the caller knows how to find out. A thread that finds all connections busy waits for
    one as long as for an answer, then gets redis.ConnectionError.
    """
    producer = _producer(settings)
    return _client(producer, role, socket_timeout=producer.redis_read_timeout_s)


def broker_client(settings: Settings) -> Redis:
    """Build a client for questions about the broker; work goes to it through Celery only."""
    producer = settings.producer
    return ledger_client(replace(producer, redis_url=producer.broker_url), "probe")


def subscriber_client(settings: ProducerSettings | Settings, block_s: float) -> Redis:
    """Build the client for reads that block up to `block_s` seconds (XREADGROUP, pub/sub)."""
    producer = _producer(settings)
    patience = block_s + producer.redis_read_timeout_s
    return _client(producer, "subscriber", socket_timeout=patience)


def _producer(settings: ProducerSettings | Settings) -> ProducerSettings:
    return settings.producer if isinstance(settings, Settings) else settings


def _client(settings: ProducerSettings, role: str, socket_timeout: float) -> Redis:
    options: dict[str, Any] = {
        "client_name": f"{settings.prefix}-{role}",
        "decode_responses": False,
        # redis-py sends a command again up to ten times if not told otherwise.
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": socket_timeout,
        "health_check_interval": _HEALTH_S,
        "max_connections": _CONNECTIONS,
        "timeout": settings.redis_read_timeout_s,
    }
    if not settings.redis_url.startswith("unix:"):
        options["socket_connect_timeout"] = settings.redis_connect_timeout_s
        options["socket_keepalive"] = True
    return Redis.from_pool(BlockingConnectionPool.from_url(settings.redis_url, **options))
