"""Blocking calls, vendor calls above all, in a bounded set of threads.

Knows threads and futures; knows nothing of the vendor.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from worker.engine.futures import settle

Result = TypeVar("Result")
_Waiting = tuple[asyncio.Future[Any], Callable[[], Any]]


class BlockingCalls:
    """At most `size` calls at once; threads start as they are needed.

    Results wake the loop once for as many as there are. `loop.run_in_executor` wakes it for each,
    through a future of its own: 150 microseconds more CPU a call with 64 under way.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = self._under_way = 0
        self._queue: SimpleQueue[tuple[asyncio.AbstractEventLoop, _Waiting]] = SimpleQueue()
        self._lock = threading.Lock()
        self._done: list[tuple[asyncio.Future[Any], Any]] = []

    def run(self, call: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Make a call in another thread; await the future for what it returns or raises.

        Raises:
            RuntimeError: no thread can be started; the call was not made.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self._under_way >= self._threads < self._size:
            threading.Thread(target=self._serve, name="blocking-call", daemon=True).start()
            self._threads += 1
        self._under_way += 1
        self._queue.put((loop, (future, call)))
        return future

    def _serve(self) -> None:
        while True:
            loop, (future, call) = self._queue.get()
            try:
                outcome = call()
            except BaseException as error:  # this thread is counted on for the next call
                outcome = error
            with self._lock:
                self._done.append((future, outcome))
                first = len(self._done) == 1
            if first:
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            done, self._done = self._done, []
        self._under_way -= len(done)
        for future, outcome in done:
            settle(future, outcome)
