"""The claims that this process holds, and renews while it lives.

A killed process renews nothing: its leases end, and other workers take its rows over. A process
that stalls for longer than a lease loses its claims too, and the fence refuses its later writes.
"""

from itertools import islice
from typing import Final

from satyapan.asking import Ask
from satyapan.records import Row
from worker.ledger import WorkLedger

MOST: Final = 500
"""Claims in one script: it holds up the server for about 2 ms."""
AGAIN_S: Final = 1.0
"""Seconds to the next try after a renewal that failed; settings allow for it (config/rules.py)."""


class Leases:
    """What this process holds; used by one thread, the one that drives the runs.

    Renew every `every_s` seconds, from the first claim to the end of the last run, also while the
    worker is shutting down; after a renewal that failed, every `AGAIN_S`.
    """

    def __init__(self, ledger: WorkLedger) -> None:
        self._ledger = ledger
        self._held: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Return True if something is held."""
        return bool(self._held)

    @property
    def every_s(self) -> float:
        """Return the seconds to the next renewal: each claim has its turn in a third of a lease."""
        scripts = max(1, -(-len(self._held) // MOST))
        return self._ledger.lease_ms / 3000 / scripts

    def hold(self, row: Row) -> None:
        """Renew the lease of a row that was claimed, from now on."""
        self._held[row.id] = row.fence

    def drop(self, row: Row) -> None:
        """Renew it no more; a later claim of the same row stays held."""
        if self._held.get(row.id) == row.fence:
            del self._held[row.id]

    def renewing(self) -> Ask[frozenset[str]] | None:
        """Make the step that renews; None if nothing is held.

        Its reply is the ids of claims that are not ours any more. Their runs need no signal: the
        fence refuses their next write. A claim that was given back meanwhile is among them.
        """
        turn = dict(islice(self._held.items(), MOST))
        for row_id, fence in turn.items():  # to the end of the line
            del self._held[row_id]
            self._held[row_id] = fence
        return self._ledger.renewing(turn) if turn else None
