"""Build the application's Redis clients. Building one opens no connection."""

from dataclasses import replace

from redis import Redis

from config.settings import Settings
from satyapan.redis.connections import connect


def ledger_client(settings: Settings, role: str = "ledger") -> Redis:
    """Build the client of the ledger; see `satyapan.redis.connections.connect`."""
    return connect(settings.producer, role)


def broker_client(settings: Settings) -> Redis:
    """Build a client that only inspects the broker; messages go through Celery."""
    producer = settings.producer
    return connect(replace(producer, redis_url=producer.broker_url), "probe")
