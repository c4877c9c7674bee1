"""The thread of the event loop, for all other threads of a process."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")
_DEAD: Final = 70
"""Exit code of a process whose loop failed."""

log = logging.getLogger("satyapan.engine")


class EventLoop:
    """Runs coroutines in one thread, started at first use: a fork before that is harmless.

    When the loop fails the process exits, because every task would wait for ever. Its leases end,
    other workers take its verifications over, and the process manager starts it again.

    Args:
        background: makes the coroutine that runs for as long as the loop does.
    """

    def __init__(self, background: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._background = background
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_at: float | None = None

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine and wait for its result; for any thread but the loop's own.

        A thread that is interrupted while it waits leaves the coroutine to its end.
        """
        return asyncio.run_coroutine_threadsafe(work, self._started()).result()

    def call(self, callback: Callable[[], object]) -> None:
        """Call in the loop's thread, soon; at once if no coroutine ever ran."""
        with self._lock:
            if self._loop is None:
                callback()
            else:
                self._loop.call_soon_threadsafe(callback)

    def stalled_s(self, now_s: float) -> float:
        """Return for how many seconds the loop hasn't run a callback; 0 if it has run the last one.

        Each call adds a callback if none is pending; `now_s` is on a clock that never jumps.
        """
        asked_at = self._asked_at
        if asked_at is not None:
            return now_s - asked_at
        self._asked_at = now_s
        self.call(self._turned)
        return 0.0

    def _turned(self) -> None:
        self._asked_at = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._serve, args=[loop], name="event-loop", daemon=True
                ).start()
                self._loop = loop
            return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.set_exception_handler(_end_if_broken)
        background = loop.create_task(self._background())
        try:
            loop.run_until_complete(background)
        except BaseException as error:
            _end(error)


def _end_if_broken(_loop: object, context: dict[str, Any]) -> None:
    """End the process at an error that no coroutine waits for: something may wait for ever."""
    error = context.get("exception")
    if error is not None:
        _end(error)


def _end(error: BaseException) -> None:
    code = type(error).__name__
    log.critical("the event loop died", exc_info=error, extra={"code": code})
    os._exit(_DEAD)
