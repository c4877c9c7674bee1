"""The heartbeat of a worker: a file whose modification time a health check reads."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from worker.throttle import Throttle

_LOG_EVERY_S: Final = 60.0

log = logging.getLogger("satyapan.worker")


class Heartbeat:
    """Beats after each sweep that went well.

    Args:
        file: None if no health check reads one; a loop that stalls is logged all the same.
        most_s: the most seconds that one turn of the loop may take.
        monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        file: Path | None,
        most_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._file = file
        self._most_s = most_s
        self._monotonic = monotonic
        self._throttle = Throttle(_LOG_EVERY_S)

    def beat(self, stalled_s: float) -> None:
        """Touch the file, unless the engine's loop hasn't turned for `stalled_s` seconds.

        Then the log says so, once a minute.
        """
        if stalled_s <= self._most_s:
            if self._file:
                self._file.touch()
        elif self._throttle.ready(self._monotonic()):
            self._throttle.done(self._monotonic())
            log.error("the engine stands still: other workers take its verifications over")
