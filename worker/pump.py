"""The pump: takes many verifications through Redis together, and so many at once to the vendor.

One thread drives the runs. Whatever is asked of Redis at the same moment goes in one round trip;
each vendor call has a thread of its own. A run begins only when a call's thread is free for it, so
that no claim, no quota slot and no SENT record waits in a line; all tasks of a process share the
same few threads, whether they brought one id or hundreds.

Knows runs and their steps; knows nothing of what they decide.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from satyapan.asking import Ask
from satyapan.records import Row
from worker.engine import Step, Steps, VendorCall
from worker.rules.model import Event

log = logging.getLogger("satyapan.pump")


class Begin(Protocol):
    """Make the run of one verification."""

    def __call__(self, verification_id: str, event: Event | None = None) -> Steps:
        """Give its steps; nothing is done before the first is asked for."""
        ...


@dataclass(eq=False, slots=True)
class _Job:
    """What one caller brought, and waits for."""

    ids: deque[str]
    event: Event | None
    ends: float
    """No run begins after this: the caller's message must be acknowledged in good time."""
    open: int = 0
    results: dict[str, Row | Exception | None] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


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
        calls: how many runs may be under way at once.
        patience_s: how long after its arrival a run may begin; what has not begun by then is left
            to the sweeper.
    """

    def __init__(
        self,
        begin: Begin,
        ask_all: Callable[[Sequence[Ask[Any]]], list[Any]],
        *,
        calls: int,
        patience_s: float,
    ) -> None:
        self._begin = begin
        self._ask_all = ask_all
        self._patience_s = patience_s
        self._free = calls
        self._callers = ThreadPoolExecutor(calls, thread_name_prefix="vendor")
        self._inbox: SimpleQueue[_Job | tuple[_Run, Any]] = SimpleQueue()
        self._jobs: deque[_Job] = deque()
        self._asking: list[tuple[_Run, Ask[Any]]] = []
        self._start = threading.Lock()
        self._started = False

    def run(self, verification_id: str, event: Event | None = None) -> Row | None:
        """Take a verification as far as it goes now; None when it was not ours to take, or not now.

        Raises:
            redis.RedisError: nothing is lost; the lease ends and the sweeper wakes the row.
        """
        found = self._work([verification_id], event).get(verification_id)
        if isinstance(found, Exception):
            raise found
        return found

    def run_all(self, ids: Sequence[str]) -> None:
        """Take many as far as they go; what fails, or can't begin in time, is due again."""
        results = self._work(ids, None)
        for one, found in results.items():
            if isinstance(found, Exception):
                log.warning("left for later", extra={"id": one, "code": type(found).__name__})
        if late := len(set(ids)) - len(results):
            log.warning("left for later", extra={"count": late, "code": "no_free_call"})

    def _work(self, ids: Sequence[str], event: Event | None) -> dict[str, Row | Exception | None]:
        job = _Job(deque(dict.fromkeys(ids)), event, time.monotonic() + self._patience_s)
        if job.ids:
            self._make_sure_it_runs()
            self._inbox.put(job)
            job.done.wait()
        return job.results

    def _make_sure_it_runs(self) -> None:
        with self._start:
            if not self._started:
                self._started = True
                threading.Thread(target=self._serve, name="pump", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._take(self._inbox.get())
            self._take_all()
            while self._asking:
                self._ask()
                self._take_all()

    def _take_all(self) -> None:
        """Take in what has come meanwhile, and begin what may begin."""
        try:
            while True:
                self._take(self._inbox.get_nowait())
        except Empty:
            self._begin_more()

    def _take(self, item: "_Job | tuple[_Run, Any]") -> None:
        if isinstance(item, _Job):
            self._jobs.append(item)
        else:
            self._advance(*item)

    def _begin_more(self) -> None:
        """Begin one run of each job in turn: a single one doesn't wait behind hundreds."""
        while self._free and self._jobs:
            job = self._jobs.popleft()
            if time.monotonic() > job.ends:
                job.ids.clear()
                self._close(job)
                continue
            run = _Run(job.ids[0], self._begin(job.ids.popleft(), job.event), job)
            self._free -= 1
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
        except StopIteration as end:
            self._end(run, end.value)
        except Exception as error:
            self._end(run, error)
        else:
            if isinstance(step, VendorCall):
                self._callers.submit(self._call, run, step)
            else:
                self._asking.append((run, step))

    def _call(self, run: _Run, call: VendorCall) -> None:
        answer: Any
        try:
            answer = call.make()
        except Exception as error:
            answer = error
        self._inbox.put((run, answer))

    def _end(self, run: _Run, result: Row | Exception | None) -> None:
        self._free += 1
        run.job.open -= 1
        run.job.results[run.id] = result
        self._close(run.job)

    def _close(self, job: _Job) -> None:
        if not job.ids and not job.open:
            job.done.set()


def _resume(steps: Steps, reply: Any) -> Step:  # noqa: ANN401  as above
    return steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
