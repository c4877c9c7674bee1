"""The claims that this process holds, and renews while it lives.

A killed process renews nothing: its leases end, and other workers take its rows over. A process
that stalls for longer than a lease loses its claims too, and the fence refuses its later writes.
"""

import asyncio
import logging
from typing import Final

from redis.exceptions import RedisError

from satyapan.records import Row
from satyapan.redis.script_calls import ScriptCall
from worker.engine.redis_batch import RedisBatch
from worker.ledger.work_ledger import WorkLedger

AGAIN_S: Final = 1.0
"""Seconds to the next try after a failed renewal; config/validators.py allows for it."""

log = logging.getLogger("satyapan.engine")


class Leases:
    """The claims of this process; used in the loop's thread only."""

    def __init__(self, ledger: WorkLedger) -> None:
        self._ledger = ledger
        self._held: dict[str, int] = {}
        self._every_s = ledger.lease_ms / 3000

    def hold(self, row: Row) -> None:
        """Renew the lease of this claim from now on."""
        self._held[row.id] = row.fence

    def drop(self, row: Row) -> None:
        """Stop renewing this claim; a later claim of the same row is kept."""
        if self._held.get(row.id) == row.fence:
            del self._held[row.id]

    def renewing(self) -> ScriptCall[frozenset[str]] | None:
        """Make the step that renews; None if nothing is held.

        Its reply is the ids of claims that are not ours any more. Their runs need no signal: the
        fence refuses their next write. Claims that were given back meanwhile are among these ids.
        """
        # All in one script: for the most calls that settings allow, 512, it takes 2 ms.
        return self._ledger.renewing(self._held) if self._held else None

    async def renew_forever(self, redis: RedisBatch) -> None:
        """Renew every third of a lease; after a renewal that failed, every `AGAIN_S` seconds.

        In the loop: one that stalls renews nothing, and loses its claims to other workers.
        """
        pause_s = self._every_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._every_s
            if renewal := self.renewing():
                try:
                    await redis.call(renewal)
                except RedisError as error:
                    log.warning("leases not renewed", extra={"code": type(error).__name__})
                    pause_s = AGAIN_S
