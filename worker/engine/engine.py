"""The interface for tasks: hand ids to the loop and wait for their runs."""

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from redis.exceptions import RedisError

from satyapan.errors import SatyapanError
from satyapan.records import Row
from worker.engine.loop import EventLoop
from worker.engine.room import Room
from worker.engine.scheduler import Scheduler
from worker.rules.model import Event

_HOLD_S: Final = 1.0
"""How long the ids of a message wait for a free call before they are handed back."""

_FEW: Final = 8
"""So many ids of a message aren't sorted: each claim finds out in one step."""

log = logging.getLogger("satyapan.engine")


class Run(Protocol):
    """Take one verification as far as it goes now, as `worker.engine.run.Runner.run` does."""

    def __call__(self, verification_id: str, event: Event | None = None) -> Awaitable[Row | None]:
        """Return the row as it was left; None when it was not ours to take."""
        ...


class Engine:
    """One per process, shared by all its threads.

    Args:
        run: takes one verification as far as it goes.
        background: makes the coroutine that runs in the loop for as long as it does.
        hand_back: puts a task's ids in its queue again; False when that was not confirmed.
        sort: leaves out of many ids those that need no run now.
        calls: how many runs may be under way at once.
        patience_s: how long after its arrival a single run may begin.
    """

    def __init__(
        self,
        run: Run,
        background: Callable[[], Coroutine[Any, Any, None]],
        hand_back: Callable[[str, Sequence[str]], bool],
        sort: Callable[[Sequence[str]], Sequence[str]],
        *,
        calls: int,
        patience_s: float,
    ) -> None:
        self.room = Room(calls)
        self._run = run
        self._hand_back = hand_back
        self._sort = sort
        self._calls = calls
        self._patience_s = patience_s
        self._scheduler: Scheduler[Row | None] = Scheduler(calls, self.room)
        self._loop = EventLoop(background)

    def run(self, verification_id: str, event: Event | None = None) -> Row | None:
        """Take a verification as far as it goes now; None when it was not ours to take, or not now.

        Raises:
            redis.RedisError: nothing is lost; the lease ends and the sweeper wakes the row.
        """
        self.room.take(1)
        run = partial(self._run, event=event)
        results = self._loop.run(self._scheduler.run_all([verification_id], run, self._patience_s))
        found = results.get(verification_id)
        if isinstance(found, Exception):
            raise found
        return found

    def run_all(self, ids: Iterable[str], task: str) -> None:
        """Run many, as many at once as there are calls; return the rest to their queue.

        An id that fails, or can't be handed back, stays due, and the sweeper wakes it.

        Raises:
            Exception: the first that is neither Redis' nor one of ours: a fault of the code.
        """
        brought = list(dict.fromkeys(ids))
        self.room.take(len(brought))  # at once, or more messages are taken than there is room for
        mine: Sequence[str] = ()
        try:
            mine = self._share(self._sort(brought) if len(brought) > _FEW else brought, task)
        finally:
            self.room.free(len(brought) - len(mine))
        if not mine:
            return
        results = self._loop.run(self._scheduler.run_all(mine, self._run, _HOLD_S))
        if left := [one for one in mine if one not in results]:
            self._hand_back(task, left)
        _report(results)

    def stop(self) -> None:
        """Begin no more runs; those under way go on to their end."""
        self._loop.call(self._scheduler.stop)

    def stalled_s(self) -> float:
        """Return for how many seconds the loop hasn't turned, as far as it was asked before."""
        return self._loop.stalled_s(time.monotonic())

    def _share(self, ids: Sequence[str], task: str) -> Sequence[str]:
        """Keep as many as can be called at once; return the rest to the queue by halves.

        So ids that are due together spread over all workers within a few messages.
        """
        while len(ids) > self._calls and self._hand_back(task, ids[len(ids) // 2 :]):
            ids = ids[: len(ids) // 2]
        return ids


def _report(results: dict[str, Row | Exception | None]) -> None:
    """Log what failed; raise the first error that shows a fault of the code."""
    failed = {one: found for one, found in results.items() if isinstance(found, Exception)}
    for one, error in failed.items():
        log.warning("left for later", extra={"id": one, "code": type(error).__name__})
    for error in failed.values():
        if not isinstance(error, RedisError | SatyapanError):
            raise error
