"""Repeats the start-up checks of the ledger's server while a worker runs.

A failover brings another server, whose settings were not checked, and a setting may be changed
on the one that was good.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from redis.exceptions import RedisError

from config.findings import Finding

CHECK_S: Final = 5.0
TIMES: Final = 3
"""Checks in a row that have to find the server unsafe before the worker ends."""
_REPLICA: Final = "E005"
"""A failover passes through this; no paid call begins on a server that takes no write."""

log = logging.getLogger("satyapan.watch")


class Watch:
    """Checks every CHECK_S seconds in a thread of its own, and calls `end` if it stays unsafe."""

    def __init__(self, check: Callable[[], Sequence[Finding]], end: Callable[[], None]) -> None:
        self.refused = False
        self._check = check
        self._end = end
        self._times = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to check."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the check that is under way."""
        self._stopped.set()

    def once(self) -> None:
        """Check once; log each error, and end the worker after TIMES unsafe checks in a row."""
        try:
            errors = [each for each in self._check() if each.level == "error"]
        except RedisError:  # absent or loading is not unsafe; the sweeper says that it is away
            return
        for each in errors:
            log.error("Redis is unsafe: %s %s %s", each.id, each.message, each.hint)
        lasts = any(each.id != _REPLICA for each in errors)
        self._times = self._times + 1 if lasts else 0
        if self._times == TIMES:
            log.error("this worker ends: it would refuse to start on this Redis")
            self.refused = True
            self._end()

    def _run(self) -> None:
        while not self._stopped.wait(CHECK_S):
            self.once()
