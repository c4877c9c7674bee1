"""Begin runs, a bounded number at once.

A run begins only when a call could be made for it at once, so that no claim, no quota slot and no
SENT record waits in a queue. Jobs take turns: a single verification doesn't wait behind hundreds.

Knows ids and coroutines; knows nothing of the rules.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from worker.engine.room import Room

Found = TypeVar("Found")
RunOne = Callable[[str], Awaitable[Found]]


class Scheduler(Generic[Found]):
    """Used in the loop's thread only.

    Args:
        calls: how many runs may be under way at once.
        room: counts each id that begins or is given up.
    """

    def __init__(self, calls: int, room: Room) -> None:
        self._slots = asyncio.Semaphore(calls)
        self._room = room
        self._stopped = False
        self._patience: set[asyncio.Timeout] = set()

    async def run_all(
        self, ids: Sequence[str], run: RunOne[Found], patience_s: float
    ) -> dict[str, Found | Exception]:
        """Run ids as slots become free; return what each run returned or raised.

        An id that could not begin within `patience_s` seconds, or before `stop`, is left out.
        """
        results: dict[str, Found | Exception] = {}
        under_way: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(patience_s) as patience:
                self._patience.add(patience)
                for one in ids:
                    await self._slot()
                    under_way.append(asyncio.create_task(self._run(one, run, results)))
        except TimeoutError:
            pass
        finally:
            self._patience.discard(patience)
            self._room.free(len(ids) - len(under_way))
        if under_way:
            await asyncio.wait(under_way)
        return results

    def stop(self) -> None:
        """Begin no more runs; those under way go on to their end."""
        self._stopped = True
        for patience in self._patience:
            if not patience.expired():  # else it raises, and an error here ends the process
                patience.reschedule(0)

    async def _slot(self) -> None:
        """Wait for a free slot; waiters are served in order, and a job waits for one at a time."""
        if self._stopped:
            raise TimeoutError
        await self._slots.acquire()
        self._room.free(1)

    async def _run(
        self, one: str, run: RunOne[Found], results: dict[str, Found | Exception]
    ) -> None:
        try:
            results[one] = await run(one)
        except Exception as error:
            results[one] = error
        finally:
            self._slots.release()
