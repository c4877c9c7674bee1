"""The ledger as producers and the callbacks app use it: insert if absent, and read.

Only workers change a row later, under a claim (worker/ledger/work_ledger.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from redis import Redis
from redis.exceptions import RedisError

from satyapan.errors import Unavailable
from satyapan.ledger.rows import SEALED, decode, encode
from satyapan.names import Keys
from satyapan.records import Row, State, Verification
from satyapan.redis.script_calls import ScriptCall, call_all
from satyapan.redis.scripts import load
from satyapan.redis.server_time import now_ms
from satyapan.redis.shared_calls import SharedCalls
from satyapan.sealing import KeyRing

GRACE_MS: Final = 3_000
"""How long the sweeper leaves a new row to the wake-up that follows its insert."""
_LISTED: Final = tuple(name for name in Verification.__dataclass_fields__ if name not in SEALED)
"""The fields of a row that a list shows: no private ones."""
_AT_ONCE: Final = 1_000
"""Rows of a list that are read in one round trip."""


@dataclass(frozen=True)
class Inserted:
    """The outcome of an insert: `created`, or the digest and state of the row that was there."""

    created: bool
    digest: str
    state: State
    at: int
    """Redis' time, ms."""


class RowStore(Protocol):
    """The methods of a ledger that the client uses; each may raise Unavailable."""

    def insert(self, row: Row, life_ms: int) -> Inserted:
        """Insert a row if its id is free."""
        ...

    def insert_all(
        self, rows: Sequence[Row], life_ms: int, grace_ms: int
    ) -> list[Inserted | Unavailable]:
        """Insert rows: return what `insert` would return or raise, for each."""
        ...

    def read(self, verification_id: str) -> Row | None:
        """Read a row, or None."""
        ...

    def newest(self, state: State, limit: int) -> Iterator[Row]:
        """Walk the latest rows of a state, newest first, private fields still sealed."""
        ...

    def counts(self) -> dict[State, int]:
        """Count the verifications in each state."""
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


class Ledger:
    """Inserts and reads rows. Raises Unavailable when Redis can't be reached or refuses."""

    def __init__(self, redis: Redis, keys: Keys, ring: KeyRing) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self.keys = keys
        self.ring = ring
        self._insert = load(redis, "satyapan", "insert")
        self._shared = SharedCalls(redis)

    def insert(self, row: Row, life_ms: int, grace_ms: int = GRACE_MS) -> Inserted:
        """Insert a row if its id is free: in one step, durable before anything is published.

        Threads that insert at the same time share a round trip.

        Raises:
            Unavailable: it may or may not be stored; the same insert again settles it.
        """
        found = _confirmed(row, self._shared.call(self._inserting(row, life_ms, grace_ms)))
        if isinstance(found, Unavailable):
            raise found
        return found

    def insert_all(
        self, rows: Sequence[Row], life_ms: int, grace_ms: int = GRACE_MS
    ) -> list[Inserted | Unavailable]:
        """Insert rows in one round trip; return what `insert` would return or raise, for each."""
        asks = [self._inserting(row, life_ms, grace_ms) for row in rows]
        replies = zip(rows, call_all(self._redis, asks), strict=True)
        return [_confirmed(row, reply) for row, reply in replies]

    def _inserting(self, row: Row, life_ms: int, grace_ms: int) -> ScriptCall[Inserted]:
        keys = [self.keys.row(row.id), self.keys.due, self.keys.index(row.state)]
        pairs = [part for pair in encode(row, self.ring).items() for part in pair]
        arguments = [row.id, row.digest, grace_ms, life_ms, *pairs]
        return ScriptCall(self._insert, keys, arguments, _inserted)

    def read(self, verification_id: str, *, sealed: bool = False) -> Row | None:
        """Read a row, or None; with `sealed` the private fields stay sealed (no key is needed)."""
        try:
            stored = self._redis.hgetall(self.keys.row(verification_id))
        except RedisError as error:
            raise _unread(error, verification_id) from error
        return decode(stored, None if sealed else self.ring) if b"id" in stored else None

    def read_fields(self, verification_id: str, *names: str) -> Row | None:
        """Read only these fields of a row, or None; every other field has its default.

        Private fields are read and opened only if they are named: a result may be 8 MB long.
        """
        return self._read_fields([verification_id], names)[0]

    def newest(self, state: State, limit: int) -> Iterator[Row]:
        """Walk the latest rows of a state, newest first, with what a list of them shows.

        Many are read in one round trip. Every other field has its default, also the private ones.
        """
        try:
            ids = self._redis.zrevrange(self.keys.index(state), 0, limit - 1)
        except RedisError as error:
            raise _unread(error) from error
        for start in range(0, len(ids), _AT_ONCE):
            some = [raw.decode() for raw in ids[start : start + _AT_ONCE]]
            rows = self._read_fields(some, _LISTED)
            yield from (row for row in rows if row is not None and row.state == state)

    def _read_fields(self, ids: Sequence[str], names: Sequence[str]) -> list[Row | None]:
        """Read the same fields of many rows in one round trip."""
        wanted = list(dict.fromkeys(("id", "kind", *names)))
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for each in ids:
                    pipe.hmget(self.keys.row(each), wanted)
                found = pipe.execute()
        except RedisError as error:
            raise _unread(error, ids[0] if len(ids) == 1 else "") from error
        return [self._decoded(wanted, values) for values in found]

    def _decoded(self, names: Sequence[str], values: Sequence[bytes | None]) -> Row | None:
        pairs = zip(names, values, strict=True)
        stored = {name.encode(): value for name, value in pairs if value is not None}
        return decode(stored, self.ring) if b"id" in stored else None

    def now(self) -> int:
        """Return the time (ms) on Redis' clock, on which rows are dated."""
        try:
            return now_ms(self._redis)
        except RedisError as error:
            raise _unread(error) from error

    def counts(self) -> dict[State, int]:
        """Count the verifications in each state."""
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for state in State:
                    pipe.zcard(self.keys.index(state))
                return dict(zip(State, pipe.execute(), strict=True))
        except RedisError as error:
            raise _unread(error) from error

    def close(self) -> None:
        """Close the connections that are idle; a later command opens another."""
        self._shared.close()
        self._redis.connection_pool.disconnect(inuse_connections=False)


def _unread(error: RedisError, verification_id: str = "") -> Unavailable:
    return Unavailable(f"the ledger can't be read ({type(error).__name__})", verification_id)


def _inserted(reply: list[Any]) -> Inserted:
    created, digest, state, at = reply
    return Inserted(bool(created), digest.decode(), State(state.decode()), at)


def _confirmed(row: Row, reply: Inserted | Exception) -> Inserted | Unavailable:
    if isinstance(reply, RedisError):
        what = f"the ledger did not confirm ({type(reply).__name__})"
        unavailable = Unavailable(what, row.id)
        unavailable.__cause__ = reply
        return unavailable
    if isinstance(reply, Exception):
        raise reply
    return reply
