"""Results for producers: a channel to wait on, and a stream of events to read.

A message on the channel only says "this id changed", and is lost while nobody listens. So a waiter
reads the row first, and again from time to time. The stream keeps every event until retention ends.
"""

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol
from zlib import crc32

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from satyapan.errors import Unavailable
from satyapan.events import Event
from satyapan.names import Keys
from satyapan.redis.listener import Listener

READ_AGAIN_S: Final = 2.0
"""Seconds between a waiter's reads of the row after the listener's connection broke."""
_SELDOM: Final = 2.5
"""Factor for that, up to twice as much, while the listener is connected: a message may be lost."""
_STALE_MS: Final = 60_000
"""After this long, an event that a reader took and never confirmed goes to another reader."""
_BATCH: Final = 50
_SLICE_S: Final = 0.5
"""How long one read blocks: well below any read timeout."""

log = logging.getLogger(__name__)


class ResultSource(Protocol):
    """The methods of `Results` that the client uses; each may raise Unavailable."""

    def changes(
        self, reply_to: str, verification_id: str, left_s: Callable[[], float]
    ) -> Iterator[None]:
        """Yield at once, then whenever an id may have changed, until no time is left."""
        ...

    def read_group(self, reply_to: str, group: str, reader: str, block_s: float) -> Iterator[Event]:
        """Read events as a member of a group, each at least once."""
        ...


class Results:
    """Waits for changes and reads events. `redis` must allow reads that block for seconds."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._listener = Listener(redis)

    def changes(
        self, reply_to: str, verification_id: str, left_s: Callable[[], float]
    ) -> Iterator[None]:
        """Yield at once, then at each change of an id (and now and then), until no time is left.

        Raises:
            Unavailable: Redis can't be reached.
        """
        try:
            channel = self._keys.channel(reply_to)
            with self._listener.hearing(channel, verification_id) as heard:
                yield
                # So that a thousand that began together don't read at the same moment.
                spread = _SELDOM * (1 + crc32(verification_id.encode()) % 100 / 100)
                while left_s() > 0:
                    patience = READ_AGAIN_S * (spread if self._listener.hears else 1)
                    heard.wait(min(patience, left_s()))
                    heard.clear()
                    yield
        except RedisError as error:
            raise Unavailable(f"can't listen ({type(error).__name__})", verification_id) from error

    def read_group(self, reply_to: str, group: str, reader: str, block_s: float) -> Iterator[Event]:
        """Read events as a member of a group, each at least once, until none comes for `block_s`.

        An event is confirmed when the next one is asked for: a reader that dies before that
        leaves it to another. A new group starts at the oldest event that is kept.

        Raises:
            Unavailable: Redis can't be reached; what was not confirmed comes again.
        """
        stream = self._keys.events(reply_to)
        try:
            self._join(stream, group)
            yield from self._confirming(stream, group, self._stale(stream, group, reader))
            yield from self._confirming(stream, group, self._fresh(stream, group, reader, block_s))
        except RedisError as error:
            raise Unavailable(f"can't read events ({type(error).__name__})") from error

    def _join(self, stream: str, group: str) -> None:
        try:
            self._redis.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _stale(self, stream: str, group: str, reader: str) -> Iterator[tuple[bytes, Any]]:
        """Take over what other readers took and never confirmed."""
        start: Any = "0-0"
        while start != b"0-0":
            start, entries, *_ = self._redis.xautoclaim(
                stream, group, reader, _STALE_MS, start, count=_BATCH
            )
            yield from entries

    def _fresh(
        self, stream: str, group: str, reader: str, block_s: float
    ) -> Iterator[tuple[bytes, Any]]:
        """Read first what this reader had before it died, then what is new."""
        start: Any = "0"
        while entries := self._entries(stream, group, reader, start, None):
            yield from entries
            start = entries[-1][0]
        quiet = 0.0
        while quiet <= block_s:
            slice_s = min(_SLICE_S, block_s - quiet)
            entries = self._entries(stream, group, reader, ">", round(slice_s * 1000) or None)
            yield from entries
            quiet = 0.0 if entries else quiet + max(slice_s, _SLICE_S / 100)

    def _entries(
        self, stream: str, group: str, reader: str, start: str, block: int | None
    ) -> list[tuple[bytes, Any]]:
        reply = self._redis.xreadgroup(group, reader, {stream: start}, count=_BATCH, block=block)
        if not reply:
            return []
        # RESP3 answers with a mapping, RESP2 with pairs.
        pairs = reply.items() if isinstance(reply, dict) else reply
        return [entry for _, batch in pairs for entry in _flat(batch)]

    def _confirming(
        self, stream: str, group: str, entries: Iterator[tuple[bytes, Any]]
    ) -> Iterator[Event]:
        for entry_id, fields in entries:
            event = _event(fields)
            if event is not None:
                yield event
            if event is not None or not fields:
                self._redis.xack(stream, group, entry_id)


def _event(fields: Any) -> Event | None:  # noqa: ANN401  a stream entry, or null if trimmed
    """Read an entry; one that a newer version wrote is left unconfirmed for a newer reader."""
    try:
        return Event.parse(fields[b"event"]) if fields else None
    except (ValueError, KeyError):
        log.warning("an event can't be read; is this reader older than the workers?")
        return None


def reader_name() -> str:
    """Name a reader by its host, so that what it took comes back to it after a restart."""
    return socket.gethostname()


def _flat(batch: list[Any]) -> list[tuple[bytes, Any]]:
    """Unwrap the entries of a stream: RESP3 nests them one level deeper."""
    nested = batch and isinstance(batch[0], list) and isinstance(batch[0][0], list | tuple)
    return batch[0] if nested else batch
