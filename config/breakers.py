"""Read the breakers from Redis; workers open and close them."""

from collections.abc import Iterable
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


def read_breakers(redis: Redis, keys: Iterable[str]) -> list[Shut | None]:
    """Read breakers by their keys, in one round trip; None where one lets calls through."""
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hmget(key, ["code", "since", "until"])
        found: list[Any] = pipe.execute()
    return [_shut(*fields) for fields in found]


def _shut(code: bytes | None, since: bytes | None, until: bytes | None) -> Shut | None:
    """Read a breaker's fields; an open one has all three."""
    if code is None or since is None or until is None:
        return None
    return Shut(code.decode(), int(since), int(until))
