"""Begin a worker's warm stop from a signal handler."""

import queue
import threading
from collections.abc import Callable
from typing import Final

_WAIT_S: Final = 5.0


class Shutdown:
    """Calls `stop` in a thread of its own when a signal handler asks for it.

    A handler interrupts the main thread anywhere, also while it holds a lock or writes a log
    line. There a lock would be waited for forever, and a log line would be lost (RuntimeError,
    "reentrant call"). `SimpleQueue.put` is the one call that may be made there.
    """

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="shutdown", daemon=True)

    def start(self) -> None:
        """Start the thread, before the first signal can come; a forked child has none."""
        self._thread.start()

    def begin(self, **_: object) -> None:
        """Ask for the stop, from a signal handler or anywhere; further calls do nothing."""
        self._asked.put(item=True)

    def end(self) -> None:
        """Wait, at most 5 s, until a stop that was asked for is through; then end the thread."""
        self._asked.put(item=False)
        if self._thread.is_alive():
            self._thread.join(_WAIT_S)

    def _serve(self) -> None:
        if self._asked.get():
            self._stop()
