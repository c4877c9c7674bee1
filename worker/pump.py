"""The pump: takes many verifications through Redis together, and so many at once to the vendor.

One thread drives the runs. Whatever is asked of Redis at the same moment goes in one round trip;
each errand, a vendor call above all, has a thread of its own. A run begins only when such a thread
is free for it, so that no claim, no quota slot and no SENT record waits in a line; all tasks of a
process share the same few threads, whether they brought one id or hundreds.

What a process can't begin soon it hands back to the queue: there another worker finds it, and the
task that brought it makes room for other tasks.

Knows runs and their steps; knows nothing of what they decide.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from redis.exceptions import RedisError

from satyapan.asking import Ask
from satyapan.errors import SatyapanError
from satyapan.records import Row
from worker.engine import Errand, Pause, Step, Steps
from worker.rules.model import Event

_HOLD_S: Final = 1.0
"""How long the ids of a message wait for a free call before they are handed back."""
_DEAD: Final = 70
"""Exit code of a process whose pump died."""

log = logging.getLogger("satyapan.pump")


class Begin(Protocol):
    """Make the run of one verification."""

    def __call__(self, verification_id: str, event: Event | None = None) -> Steps:
        """Give its steps; nothing is done before the first is asked for."""
        ...


class CalledAway(Exception):
    """The thread had to leave before its errand was done; it may have been done, or not."""


@dataclass(eq=False, slots=True)
class _Job:
    """What one caller brought, and waits for."""

    ids: deque[str]
    event: Event | None
    alone: bool
    """It is one id: the thread that waits for it has nothing to do, and makes its calls itself."""
    ends: float
    """No run begins after this: the caller's message must be acknowledged in good time."""
    open: int = 0
    results: dict[str, Row | Exception | None] = field(default_factory=dict)
    errands: "SimpleQueue[tuple[_Run, Errand] | None]" = field(default_factory=SimpleQueue)
    """What the thread that waits has to do; None when all is done."""


@dataclass(eq=False, slots=True)
class _Run:
    """One verification on its way."""

    id: str
    steps: Steps
    job: _Job


class Pump:
    """Shared by all threads of a process.

    Args:
        begin: makes runs.
        ask_all: does steps on Redis in one round trip, each with its reply or error.
        hand_back: puts a task's ids in its queue again; False when that was not confirmed.
        sort: leaves out of many ids those that need no run now.
        calls: how many runs may be under way at once.
        patience_s: how long after its arrival a single run may begin.
    """

    def __init__(
        self,
        begin: Begin,
        ask_all: Callable[[Sequence[Ask[Any]]], list[Any]],
        hand_back: Callable[[str, Sequence[str]], bool],
        sort: Callable[[Sequence[str]], Sequence[str]] = lambda ids: ids,
        *,
        calls: int,
        patience_s: float,
    ) -> None:
        self._begin = begin
        self._ask_all = ask_all
        self._hand_back = hand_back
        self._sort = sort
        self._patience_s = patience_s
        self._calls = self._free = calls
        self._errands: SimpleQueue[tuple[_Run, Errand]] = SimpleQueue()
        self._out = self._callers = 0
        self._inbox: SimpleQueue[_Job | tuple[_Run, Any] | None] = SimpleQueue()
        self._jobs: deque[_Job] = deque()
        self._arriving = threading.Lock()
        self._arrived = self._gone = 0
        self._wanted = False
        self.on_room: Callable[[], object] = lambda: None
        """Called when there is room again, if somebody has asked in vain."""
        self._asking: list[tuple[_Run, Ask[Any]]] = []
        self._paused: list[tuple[float, _Run]] = []
        self._start = threading.Lock()
        self._started = self._stopped = False

    def run(self, verification_id: str, event: Event | None = None) -> Row | None:
        """Take a verification as far as it goes now; None when it was not ours to take, or not now.

        Raises:
            redis.RedisError: nothing is lost; the lease ends and the sweeper wakes the row.
        """
        results = self._work([verification_id], event, self._patience_s)
        found = results.get(verification_id)
        if isinstance(found, Exception):
            raise found
        return found

    def run_all(self, ids: Iterable[str], task: str) -> None:
        """Take many as far as they go, as many at once as there are calls; hand the rest back.

        What fails, or can't be handed back, is due again: the sweeper wakes it.

        Raises:
            Exception: the first that was no fault of Redis and none of ours to foresee.
        """
        brought = list(dict.fromkeys(ids))
        with self._arriving:  # at once, so that no more messages are taken than there is room for
            self._arrived += len(brought)
        mine = list[str]()
        try:
            mine = self._share(self._sorted(brought), task)
        finally:
            if not mine:
                self._leave(len(brought))
        results = self._work(mine, None, _HOLD_S, expected=len(brought))
        if late := [one for one in mine if one not in results]:
            self._hand_back(task, late)
        failed = {one: found for one, found in results.items() if isinstance(found, Exception)}
        for one, error in failed.items():
            log.warning("left for later", extra={"id": one, "code": type(error).__name__})
        for error in failed.values():
            if not isinstance(error, RedisError | SatyapanError):
                raise error

    def _sorted(self, ids: list[str]) -> list[str]:
        return list(self._sort(ids)) if len(ids) > 1 else ids

    def _leave(self, count: int) -> None:
        """Take back what was expected to be run."""
        with self._arriving:
            self._arrived -= count
        self._inbox.put(None)  # the pump sees that there is room again

    def has_room(self) -> bool:
        """Tell whether fewer ids wait for a call than could be called at once."""
        if not self._room():
            self._wanted = True  # before the last look: else room made in between is not told of
        return self._room()

    def _room(self) -> bool:
        return self._arrived - self._gone < self._calls

    def stop(self) -> None:
        """Begin no more runs; those under way go on to their end."""
        self._stopped = True
        self._inbox.put(None)

    def _share(self, ids: list[str], task: str) -> list[str]:
        """Keep as many as can be called at once; halve the rest, so that it spreads quickly."""
        while len(ids) > self._calls and self._hand_back(task, ids[len(ids) // 2 :]):
            ids = ids[: len(ids) // 2]
        return ids

    def _work(
        self, ids: Sequence[str], event: Event | None, patience_s: float, *, expected: int = 0
    ) -> dict[str, Row | Exception | None]:
        job = _Job(deque(ids), event, len(ids) == 1, time.monotonic() + patience_s)
        if job.ids:
            self._make_sure_it_runs()
            with self._arriving:  # at once: the pump may be at something else
                self._arrived += len(job.ids) - expected
            self._inbox.put(job)
            self._wait(job)
        return job.results

    def _wait(self, job: _Job) -> None:
        """Do what is left to the thread that waits for a job, until all of it is done.

        A signal (a time limit, the end of the process) may call that thread away. Then another
        takes its place: a run whose errand nobody does would hold its call for ever.
        """
        try:
            while errand := job.errands.get():
                self._do(*errand)
        except BaseException:
            threading.Thread(target=self._wait, args=(job,), name="errand", daemon=True).start()
            raise

    def _make_sure_it_runs(self) -> None:
        with self._start:
            if not self._started:
                self._started = True
                threading.Thread(target=self._serve, name="pump", daemon=True).start()

    def _serve(self) -> None:
        """Turn for ever. Without this thread all tasks would wait for ever: rather end as killed.

        Then leases end, and other workers go on; whoever watches this process starts it again.
        """
        try:
            while True:
                self._turn()
        except BaseException as error:
            log.critical("the pump died", exc_info=True, extra={"code": type(error).__name__})
            os._exit(_DEAD)

    def _turn(self) -> None:
        """Take in what has come, begin what may begin, and ask for what is wanted."""
        with suppress(Empty):
            self._take(self._inbox.get(timeout=self._pause_s()))
            while True:
                self._take(self._inbox.get_nowait())
        self._go_on()
        self._give_up()
        self._begin_more()
        self._tell_of_room()
        if self._asking:
            self._ask()

    def _tell_of_room(self) -> None:
        if self._wanted and self._room():
            self._wanted = False
            self.on_room()

    def _pause_s(self) -> float | None:
        """Say how long there is nothing to do, if nothing comes."""
        if self._asking or (self._free and self._jobs):
            return 0.0
        ends = [job.ends for job in self._jobs] + [until for until, _ in self._paused]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _take(self, item: "_Job | tuple[_Run, Any] | None") -> None:
        if isinstance(item, _Job):
            self._jobs.append(item)
        elif item is not None:
            run, answer = item
            if not run.job.alone:
                self._out -= 1
            self._advance(run, answer)

    def _go_on(self) -> None:
        """Let the runs go on whose pause is over."""
        now = time.monotonic()
        paused, self._paused = self._paused, []
        for until, run in paused:
            if until > now:
                self._paused.append((until, run))
            else:
                self._advance(run, None)

    def _give_up(self) -> None:
        """Begin no more of what has waited too long."""
        now = time.monotonic()
        for job in [job for job in self._jobs if self._stopped or now >= job.ends]:
            self._jobs.remove(job)
            self._gone += len(job.ids)
            job.ids.clear()
            self._close(job)

    def _begin_more(self) -> None:
        """Begin one run of each job in turn: a single one doesn't wait behind hundreds."""
        while self._free and self._jobs:
            job = self._jobs.popleft()
            run = _Run(job.ids[0], self._begin(job.ids.popleft(), job.event), job)
            self._free -= 1
            self._gone += 1
            job.open += 1
            if job.ids:
                self._jobs.append(job)
            self._advance(run, None)

    def _ask(self) -> None:
        asking, self._asking = self._asking, []
        replies = self._ask_all([ask for _, ask in asking])
        for (run, _), reply in zip(asking, replies, strict=True):
            self._advance(run, reply)

    def _advance(self, run: _Run, reply: Any) -> None:  # noqa: ANN401  whatever was asked for
        """Give a run its reply, and note what it wants next."""
        try:
            step = _resume(run.steps, reply)
            if isinstance(step, Errand):
                self._send_out(run, step)
            elif isinstance(step, Pause):
                self._paused.append((time.monotonic() + step.seconds, run))
            else:
                self._asking.append((run, step))
        except StopIteration as end:
            self._end(run, end.value)
        except Exception as error:
            self._end(run, error)

    def _send_out(self, run: _Run, errand: Errand) -> None:
        """Give an errand to the thread that waits for it, or to one of the pump's own.

        Those are started as they are needed. An executor would do the same at 150 times the CPU:
        it makes a future for each, and nobody asks for it.
        """
        if run.job.alone:
            run.job.errands.put((run, errand))
            return
        if self._out == self._callers:
            threading.Thread(target=self._serve_errands, name="errand", daemon=True).start()
            self._callers += 1
        self._out += 1
        self._errands.put((run, errand))

    def _serve_errands(self) -> None:
        while True:
            with suppress(BaseException):  # the run has been told, and this thread is counted on
                self._do(*self._errands.get())

    def _do(self, run: _Run, errand: Errand) -> None:
        answer: Any = CalledAway()
        try:
            answer = errand.do()
        except Exception as error:
            answer = error
        finally:
            self._inbox.put((run, answer))

    def _end(self, run: _Run, result: Row | Exception | None) -> None:
        self._free += 1
        run.job.open -= 1
        run.job.results[run.id] = result
        self._close(run.job)

    def _close(self, job: _Job) -> None:
        if not job.ids and not job.open:
            job.errands.put(None)


def _resume(steps: Steps, reply: Any) -> Step:  # noqa: ANN401  as above
    return steps.throw(reply) if isinstance(reply, BaseException) else steps.send(reply)
