"""Sort verifications that are due: those that can run now, and those that only wait for a slot.

While the quota is used up, a claim, a decision and a commit for each waiting row would change
nothing. Rows that were never sent and are not claimed are registered in their lane in bulk instead.
A message with a few ids skips this (worker/engine/engine.py): their claims find out in one step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from satyapan.names import Keys
from satyapan.records import ACCOUNT, VENDOR, Row
from satyapan.redis.scripts import load
from worker.admission.limiter import Limiter, Waiting

_PRODUCER: Final = Row(id="", kind="").reply_to

_BATCH: Final = 500
"""Ids per script: it blocks the server for about 3 ms to sort them, 9 ms to register them."""

CreateRoute = Callable[[str, str], tuple[str, int] | None]
"""(kind, operation's key) to the create route's name and limit; None if a claim has to decide."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The sorted ids, and how many ms from now the next row is due (0: none)."""

    claim: tuple[str, ...]
    """Sent before, or claimed by a worker that vanished, or of a kind that is unknown here."""
    fresh: tuple[str, ...]
    """Never sent, and no row waits for a slot of its route, or a slot is free."""
    registered: int
    next_in: int

    @property
    def taken(self) -> int:
        """How many were due."""
        return len(self.claim) + len(self.fresh) + self.registered


@dataclass(frozen=True, slots=True)
class _Fresh:
    id: str
    kind: str
    vendor: str
    account: str
    waiting: Waiting


class Triage:
    """Reads and registers rows; claims none.

    Args:
        redis: the ledger's server.
        keys: names under the installation's prefix.
        limiter: where rows are registered.
        create_route: where a kind's create call goes.
    """

    def __init__(
        self, redis: Redis, keys: Keys, limiter: Limiter, create_route: CreateRoute
    ) -> None:
        self._limiter = limiter
        self._keys = keys
        self._create_route = create_route
        self._sort: Any = load(redis, "worker", "triage")

    def deal(self) -> None:
        """Deal the slots of the near future to registered rows.

        Raises:
            redis.RedisError: the next sweep deals.
        """
        self._limiter.deal()

    def take(self, most: int, patience_ms: int, spread_ms: int = 0) -> Sorted:
        """Sort what is due, at most `most` ids; they are due again after `patience_ms`.

        Those that have to be claimed come back up to `spread_ms` later still, one after the other.

        Raises:
            redis.RedisError: nothing is lost; sort again later.
        """
        return self._sorted([patience_ms, spread_ms, most])

    def leave_out(self, ids: Sequence[str]) -> Sequence[str]:
        """Return the ids of a message that have to be run now; register those that only wait."""
        raws = [row_id.encode(errors="surrogatepass") for row_id in ids]
        left: list[str] = []
        try:
            for start in range(0, len(raws), _BATCH):
                found = self._sorted([0, 0, 0, *raws[start : start + _BATCH]])
                left += [*found.claim, *found.fresh]
        except RedisError:
            return ids  # their runs meet the error, and log it for each
        return left

    def _sorted(self, arguments: list[Any]) -> Sorted:
        keys = [self._keys.due, self._keys.queues]
        now, following, queues, claim, fresh = self._sort(
            keys=keys, args=[self._keys.row(""), *arguments]
        )
        busy = {raw.decode() for raw in queues}
        rows = list(_rows(fresh))
        left = self._register(rows, busy) if busy else [row.id for row in rows]
        waits = max(1, int(following) - int(now)) if int(following) else 0
        ids = tuple(raw.decode() for raw in claim)
        return Sorted(ids, tuple(left), len(rows) - len(left), waits)

    def _register(self, rows: Sequence[_Fresh], busy: set[str]) -> list[str]:
        """Register rows where others wait already; return the ids of those that can run now."""
        left: list[str] = []
        waits: dict[tuple[str, str, int], list[Waiting]] = {}
        for row in rows:
            found = self._create_route(row.kind, row.vendor)
            if found is None or f"{row.account}:{found[0]}" not in busy:
                left.append(row.id)
            else:
                waits.setdefault((row.account, *found), []).append(row.waiting)
        for (account, route, limit), waiting in waits.items():
            left += self._limiter.register(account, route, limit, waiting)
        return left


def _rows(raw: Sequence[bytes]) -> Iterator[_Fresh]:
    """Read the script's list: six values per row."""
    values = [each.decode() for each in raw]
    for at in range(0, len(values), 6):
        row_id, kind, vendor, account, producer, priority = values[at : at + 6]
        waiting = Waiting(row_id, producer or _PRODUCER, high=priority == "high")
        yield _Fresh(row_id, kind, vendor or VENDOR, account or ACCOUNT, waiting)
