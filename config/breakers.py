"""Read the breakers from Redis; workers open and close them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

PUBLIC_URL_REFUSED: Final = "public_url_refused"
"""The code of a route whose calls the vendor refuses because of our own return address."""
NOT_ENABLED: Final = "not_enabled"
"""The code of a route whose product the vendor has not enabled for this account."""


@dataclass(frozen=True, slots=True)
class Shut:
    """An open breaker: no call but a probe. Times are ms on Redis' clock."""

    code: str
    since_ms: int
    until_ms: int

    @property
    def since(self) -> str:
        """Return the minute in which it opened."""
        return f"{datetime.fromtimestamp(self.since_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def read_breaker(redis: Redis, key: str) -> Shut | None:
    """Read a breaker by its key; None when it lets calls through."""
    fields: Any = redis.hmget(key, ["code", "since", "until"])
    code, since, until = fields
    return Shut(code.decode(), int(since), int(until)) if until is not None else None
