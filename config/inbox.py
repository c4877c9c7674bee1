"""The inbox: verified webhooks, stored once and sealed, until a worker has worked on them.

The callbacks app stores, workers read and finish; that is why it stands below both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from redis import Redis

from config.scrub import KEPT
from satyapan.canonical import digest
from satyapan.names import Keys
from satyapan.scripts import load
from satyapan.sealing import KeyRing

GRACE_MS: Final = 3_000
"""How long the sweeper leaves a new webhook to the wake-up that follows its storing."""
TRIES: Final = 10
"""Failures after which a webhook is parked: with the pauses between them after some 2.4 hours."""
KEPT_FIELDS: Final = KEPT | {"form_link"}
"""Fields of a webhook that name what it is about, and must come through the scrubber unchanged."""
_FIRST_PAUSE_MS: Final = 20_000
_LONGEST_PAUSE_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_CLEAR: Final = ("vendor", "event", "state", "received", "verification_id", "tries", "code")


class LetterState(StrEnum):
    """State of a stored webhook."""

    NEW = "NEW"
    HANDLED = "HANDLED"
    UNMATCHED = "UNMATCHED"
    """Well signed, but of a type or an id that nobody here knows; kept to be seen and replayed."""
    PARKED = "PARKED"
    """Working on it failed too often; a person may replay it."""


class Stored(StrEnum):
    """Outcome of storing a webhook."""

    NEW = "stored"
    BEFORE = "repeated"
    FORGOTTEN = "forgotten"
    """Nothing was stored: the verification that it is about was forgotten."""


_STORED: Final = {1: Stored.NEW, 0: Stored.BEFORE, 2: Stored.FORGOTTEN}


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored webhook. `body` is the scrubbed content as JSON; private, empty in lists."""

    id: str
    vendor: str
    event: str
    state: LetterState
    received: int
    verification_id: str
    tries: int = 0
    """Failures so far."""
    code: str = ""
    """Name of the last failure."""
    body: bytes = field(default=b"", repr=False)


class Inbox:
    """Stores, reads and finishes webhooks. Redis errors pass through: the caller answers 503.

    Whatever names a webhook or a vendor-side id here is a digest under `id_key`: from a plain one
    a mobile number inside could be found by trying all.
    """

    def __init__(
        self, redis: Redis, keys: Keys, ring: KeyRing, life_ms: int, id_key: bytes
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._ring = ring
        self.life_ms = life_ms
        self._id_key = id_key
        self._store, self._move = (load(redis, "config", name) for name in ("store", "move"))

    def name(self, vendor: str, content: bytes) -> str:
        """Return the id of a webhook with this signed content."""
        return digest(self._id_key, b"webhook", vendor.encode(), content)

    def _topic(self, vendor: str, vendor_id: str) -> str:
        """Return the digest of a vendor-side id."""
        return digest(self._id_key, b"webhooks about", vendor.encode(), vendor_id.encode())

    def store(
        self, letter_id: str, vendor: str, event: str, body: bytes, vendor_id: str = ""
    ) -> Stored:
        """Store a webhook once; `vendor_id` is the vendor-side id that it is about, if any."""
        topic = self._topic(vendor, vendor_id or f"webhook {letter_id}")
        fields: dict[str, str | bytes] = {
            "vendor": vendor,
            "event": event,
            "state": LetterState.NEW,
            "body": self._ring.seal(f"inbox/{letter_id}", body),
        }
        keys = [self._keys.inbox(letter_id), self._keys.inbox_due]
        keys += [self._keys.inbox_index(LetterState.NEW), self._keys.inbox_about(topic)]
        keys += [self._keys.inbox_forgotten(topic)]
        pairs = [part for name in fields for part in (name, fields[name])]
        return _STORED[self._store(keys=keys, args=[letter_id, self.life_ms, GRACE_MS, *pairs])]

    def read(self, letter_id: str) -> Letter | None:
        """Read a webhook, or None when there is none (any more).

        Raises:
            Unreadable: it was sealed under a key that is not in the ring.
        """
        raw: dict[bytes, bytes] = self._redis.hgetall(self._keys.inbox(letter_id))
        if b"body" not in raw:
            return None
        body = self._ring.open(f"inbox/{letter_id}", raw[b"body"])
        values = [raw.get(name.encode()) for name in _CLEAR]
        return _letter(letter_id, values, body)

    def newest(self, state: LetterState | None, limit: int) -> Iterator[Letter]:
        """Walk the latest webhooks of one state, or of all, newest first, without their bodies."""
        found: list[tuple[bytes, float]] = []
        for each in [state] if state else LetterState:
            key = self._keys.inbox_index(each)
            found += self._redis.zrevrange(key, 0, limit - 1, withscores=True)
        latest = sorted(found, key=lambda pair: -pair[1])[:limit]
        with self._redis.pipeline(transaction=False) as asking:
            for letter_id, _ in latest:
                asking.hmget(self._keys.inbox(letter_id.decode()), _CLEAR)
            rows = asking.execute()
        for (letter_id, _), values in zip(latest, rows, strict=True):
            if values[0] is not None:  # else its life ended while the list was read
                yield _letter(letter_id.decode(), values, b"")

    def finish(self, letter_id: str, state: LetterState, verification_id: str = "") -> None:
        """Set the state of a webhook that was worked on; it is kept until its life ends."""
        self._to(letter_id, state, None, {"verification_id": verification_id})

    def failed(self, letter: Letter, code: str) -> LetterState:
        """Count a failure: retry after a growing pause, park after `TRIES`; return the state."""
        tries = letter.tries + 1
        state = LetterState.PARKED if tries >= TRIES else LetterState.NEW
        pause = min(_FIRST_PAUSE_MS * 2**letter.tries, _LONGEST_PAUSE_MS)
        due = pause if state is LetterState.NEW else None
        self._to(letter.id, state, due, {"tries": str(tries), "code": code})
        return state

    def leave(self, letter_id: str, pause_ms: int) -> None:
        """Leave a webhook that is still to be worked on for later, without counting a failure."""
        seconds, micros = self._redis.time()
        due = seconds * 1000 + micros // 1000 + pause_ms
        self._redis.zadd(self._keys.inbox_due, {letter_id: due}, xx=True)

    def reopen(self, letter_id: str) -> None:
        """Make a webhook due now, and reset its count of failures."""
        self._to(letter_id, LetterState.NEW, 0, {"tries": "0", "code": ""})

    def _to(
        self, letter_id: str, state: LetterState, due_in: int | None, more: dict[str, str]
    ) -> None:
        others = [self._keys.inbox_index(each) for each in LetterState if each is not state]
        keys = [self._keys.inbox(letter_id), self._keys.inbox_due, self._keys.inbox_index(state)]
        pairs = [part for pair in {"state": state, **more}.items() for part in pair]
        due = "" if due_in is None else due_in
        self._move(keys=[*keys, *others], args=[letter_id, due, *pairs])

    def about(self, vendor: str, vendor_ids: Sequence[str]) -> list[str]:
        """List the webhooks that are kept about these vendor-side ids."""
        topics = [self._keys.inbox_about(self._topic(vendor, each)) for each in vendor_ids]
        ids = [raw.decode() for raw in self._redis.sunion(topics)]
        return [one for one in ids if self._redis.exists(self._keys.inbox(one))]

    def open(self, vendor: str, vendor_ids: Sequence[str]) -> bool:
        """Return True if a webhook about these vendor-side ids is still to be worked on."""
        due = self._keys.inbox_due
        ids = self.about(vendor, vendor_ids)
        return any(self._redis.zscore(due, each) is not None for each in ids)

    def forget(self, vendor: str, vendor_ids: Sequence[str]) -> int:
        """Remove all webhooks about these vendor-side ids and keep no more; return how many.

        The mark lasts as long as a delivery can be young enough to be stored, and a day more
        because the vendor may write times without a zone.
        """
        topics = [self._topic(vendor, each) for each in vendor_ids]
        for topic in topics:  # first, so that no webhook is stored from here on
            self._redis.set(self._keys.inbox_forgotten(topic), 1, px=self.life_ms + _DAY_MS)
        letters = self.about(vendor, vendor_ids)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(*(self._keys.inbox_about(topic) for topic in topics))
            for letter_id in letters:
                pipe.delete(self._keys.inbox(letter_id)).zrem(self._keys.inbox_due, letter_id)
                for state in LetterState:
                    pipe.zrem(self._keys.inbox_index(state), letter_id)
            pipe.execute()
        return len(letters)

    def drop(self, letter_id: str) -> None:
        """Take a webhook that no longer exists off the list of work."""
        self._redis.zrem(self._keys.inbox_due, letter_id)


def _letter(letter_id: str, values: Sequence[bytes | None], body: bytes) -> Letter:
    vendor, event, state, received, verification_id, tries, code = (
        (value or b"").decode() for value in values
    )
    return Letter(
        id=letter_id,
        vendor=vendor,
        event=event,
        state=LetterState(state),
        received=int(received),
        verification_id=verification_id,
        tries=int(tries or 0),
        code=code,
        body=body,
    )
