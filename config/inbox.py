"""The inbox: verified webhooks, stored once and sealed, until a worker has worked on them.

The callbacks app stores, workers read and finish; that is why it stands below both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from redis import Redis

from satyapan.names import Keys
from satyapan.scripts import load
from satyapan.sealing import KeyRing

GRACE_MS: Final = 3_000
"""How long the sweeper leaves a new webhook to the wake-up that follows its storing."""


class LetterState(StrEnum):
    """What became of a stored webhook."""

    NEW = "NEW"
    HANDLED = "HANDLED"
    UNMATCHED = "UNMATCHED"
    """Well signed, but of a type or an id that nobody here knows; kept to be seen and replayed."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored webhook. `body` is the bytes that were signed; private."""

    id: str
    vendor: str
    event: str
    state: LetterState
    received: int
    verification_id: str
    body: bytes = field(repr=False)


class Inbox:
    """Stores, reads and finishes webhooks. Redis errors pass through: the caller answers 503."""

    def __init__(self, redis: Redis, keys: Keys, ring: KeyRing, life_ms: int) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._ring = ring
        self._life_ms = life_ms
        self._store = load(redis, "config", "store")

    def store(self, letter_id: str, vendor: str, event: str, body: bytes) -> bool:
        """Store a webhook under the digest of its signed content; False when it was there."""
        sealed = self._ring.seal(f"inbox/{letter_id}", body)
        fields: dict[str, str | bytes] = {
            "vendor": vendor,
            "event": event,
            "state": LetterState.NEW,
            "body": sealed,
        }
        keys = [self._keys.inbox(letter_id), self._keys.inbox_due]
        pairs = [part for name in fields for part in (name, fields[name])]
        return bool(self._store(keys=keys, args=[letter_id, self._life_ms, GRACE_MS, *pairs]))

    def read(self, letter_id: str) -> Letter | None:
        """Read a webhook, or None when there is none (any more).

        Raises:
            Unreadable: it was sealed under a key that is not in the ring.
        """
        raw: dict[bytes, bytes] = self._redis.hgetall(self._keys.inbox(letter_id))
        if b"body" not in raw:
            return None
        body = self._ring.open(f"inbox/{letter_id}", raw[b"body"])
        return self._letter(letter_id, raw, body)

    def _letter(self, letter_id: str, raw: dict[bytes, bytes], body: bytes) -> Letter | None:
        if b"body" not in raw:  # it ended while it was read, or what is here was written after
            return None
        return Letter(
            id=letter_id,
            vendor=raw[b"vendor"].decode(),
            event=raw[b"event"].decode(),
            state=LetterState(raw[b"state"].decode()),
            received=int(raw[b"received"]),
            verification_id=raw.get(b"verification_id", b"").decode(),
            body=body,
        )

    def finish(self, letter_id: str, state: LetterState, verification_id: str = "") -> None:
        """Note that a webhook was worked on; it is kept until its life ends."""
        with self._redis.pipeline(transaction=True) as pipe:
            fields = {"state": state, "verification_id": verification_id}
            pipe.hset(self._keys.inbox(letter_id), mapping=fields)
            pipe.zrem(self._keys.inbox_due, letter_id)
            pipe.execute()

    def all(self) -> Iterator[Letter]:
        """Walk through all webhooks that are kept, in no order, private bodies shut."""
        for key in self._redis.scan_iter(self._keys.inbox("*"), count=500):
            letter_id = key.decode().removeprefix(self._keys.inbox(""))
            letter = self._letter(letter_id, self._redis.hgetall(key), b"")
            if letter is not None:
                yield letter

    def reopen(self, letter_id: str) -> None:
        """Put a webhook back on the list of work."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._keys.inbox(letter_id), "state", LetterState.NEW)
            pipe.zadd(self._keys.inbox_due, {letter_id: 0})
            pipe.execute()

    def shred(self, letter_id: str) -> None:
        """Remove a webhook for good."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(self._keys.inbox(letter_id))
            pipe.zrem(self._keys.inbox_due, letter_id)
            pipe.execute()

    def drop(self, letter_id: str) -> None:
        """Take a webhook that no longer exists off the list of work."""
        self._redis.zrem(self._keys.inbox_due, letter_id)
