"""A storm: random `kill -9` under load, for Satyapan and for the plain Celery control.

Both sides get the same plan: a number of jobs, kills spread over their progress, and restarts of
the killed server. Killed workers are started again, as by an orchestrator.
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import redis

from demo.supervisor import Child
from satyapan import Unavailable
from satyapan.records import SETTLED
from tests.support.fault_kinds import DECISIONS, TOYS, request_for
from tests.support.history import History, Verdict, judge, own_entries, rows_of
from tests.support.installation import Installation, Services, gone, kill_group
from tests.support.plain_celery import PlainCeleryProducer
from tests.support.project import ROOT

_AWAY: Final = (Unavailable, redis.RedisError, OSError)


@dataclass(frozen=True)
class StormPlan:
    """The figures of a storm; `seed` decides the moments."""

    name: str
    seed: int
    jobs: int
    kills: int
    restarts: int
    workers: int = 2
    pool: str = "threads"
    within_s: float = 900.0


class Side(Protocol):
    """A system under the storm."""

    def start_worker(self) -> Child:
        """Start one more worker."""
        ...

    def submit(self, one: str) -> None:
        """Submit a job; raise if it is not confirmed."""
        ...

    def finished(self) -> int:
        """Count the finished jobs."""
        ...

    def over(self) -> bool:
        """Return True if nothing is left to do."""
        ...


@dataclass
class SatyapanSide:
    """Satyapan."""

    services: Services
    plan: StormPlan
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        """Build the installation."""
        self.installation = Installation(
            self.services,
            self.plan.name,
            SATYAPAN_WORKER_POOL=self.plan.pool,
            SATYAPAN_WORKER_CONCURRENCY="4",
        )
        self.producer = self.installation.producer

    def start_worker(self) -> Child:
        return self.installation.start_worker()

    def submit(self, one: str) -> None:
        kind = kind_of(one)
        if kind in DECISIONS:  # the person acts as soon as there is a link
            self.services.stack.control(f"journeys/{one}", {"decision": DECISIONS[kind]})
        if self.history.submit(self.producer, kind, request_for(kind, one), one) != "ok":
            raise Unavailable("not confirmed", one)

    def finished(self) -> int:
        counts = self.producer.counts()
        return sum(number for state, number in counts.items() if state in SETTLED)

    def over(self) -> bool:
        return self.finished() >= len(self.history.accepted())

    def verdict(self) -> Verdict:
        """Read every verification twice, and judge."""
        ids = self.history.accepted()
        for one in ids * 2:
            self.history.read(self.producer, one)
        self.history.listen(self.producer)
        audit = own_entries(self.history, self.services.audit(), f"{self.plan.name}-")
        return judge(self.history, audit, rows_of(self.producer, ids))


class PlainCelerySide:
    """A plain Celery task."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._vendor = f"{services.stack.sandbox_url}/verification"
        self._url = services.stack.server.url.replace("/0", "/1")
        self.plain = PlainCeleryProducer(self._url, self._vendor)
        self._started = 0
        self._calm_since = 0.0

    def start_worker(self) -> Child:
        self._started += 1
        program = [sys.executable, "-m", "tests.support.plain_celery", self._url, self._vendor]
        name = f"plain-{self._started}"
        env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return self.services.children.start(name, program, env=env)

    def submit(self, one: str) -> None:
        self.plain.submit(one)

    def finished(self) -> int:
        return self.plain.done()

    def over(self) -> bool:
        """Return True if no message was queued or unacknowledged for three seconds."""
        if not self.plain.drained():
            self._calm_since = 0.0
            return False
        self._calm_since = self._calm_since or time.monotonic()
        return time.monotonic() - self._calm_since > 3

    def figures(self) -> dict[str, int]:
        """Count lost and repeated jobs."""
        return self.plain.figures(self.services.audit())


def kind_of(one: str) -> str:
    """Return the kind of a job by its number: every tenth is a toy, each of them in turn."""
    tenth, rest = divmod(int(one.rpartition("-")[2]), 10)
    return "passport" if rest else TOYS[tenth % len(TOYS)]


def run_storm(side: Side, services: Services, plan: StormPlan) -> float:
    """Run the storm until nothing is left to do; return the seconds it took.

    Fails if it is not over in time, which counts as a loss.
    """
    dice = random.Random(plan.seed)
    begun = time.monotonic()
    workers = [side.start_worker() for _ in range(plan.workers)]
    with _submitting(side, plan):
        for at, fault in _faults(plan, dice):
            _await(side, partial(_reached, side, at), workers, plan, begun)
            fault(side, services, workers, dice)
    _await(side, side.over, workers, plan, begun)
    for worker in workers:
        services.children.kill(worker.name)
    return time.monotonic() - begun


def _reached(side: Side, at: int) -> bool:
    return side.finished() >= at


Fault = Callable[[Side, Services, list[Child], random.Random], None]


def _faults(plan: StormPlan, dice: random.Random) -> list[tuple[int, Fault]]:
    """Spread kills and restarts over the progress of the work."""
    ends = plan.jobs * 0.95
    kills: list[tuple[int, Fault]] = [
        (int(dice.uniform(1, ends)), _kill) for _ in range(plan.kills)
    ]
    kills += [(int(dice.uniform(1, ends)), _restart) for _ in range(plan.restarts)]
    return sorted(kills, key=lambda pair: pair[0])


def _kill(side: Side, services: Services, workers: list[Child], dice: random.Random) -> None:
    time.sleep(dice.uniform(0, 0.1))  # not only right after an answer
    victim = dice.randrange(len(workers))
    services.children.kill(workers[victim].name)
    workers[victim] = side.start_worker()


def _restart(_side: Side, services: Services, _workers: list[Child], dice: random.Random) -> None:
    services.stack.server.kill()
    time.sleep(dice.uniform(0, 1))
    services.stack.server.restart()


def _await(
    side: Side, holds: Callable[[], bool], workers: list[Child], plan: StormPlan, begun: float
) -> None:
    while not _tolerant(holds):
        late = time.monotonic() - begun > plan.within_s
        assert not late, f"{plan}: not over in time, {side.finished()} finished"
        for installation, worker in enumerate(workers):
            if gone(worker):  # ended by itself: start it again, as an orchestrator does
                kill_group(worker)
                workers[installation] = side.start_worker()
        time.sleep(0.05)


def _tolerant(holds: Callable[[], bool]) -> bool:
    with suppress(*_AWAY):
        return holds()
    return False


@contextmanager
def _submitting(side: Side, plan: StormPlan) -> Iterator[None]:
    """Submit all jobs in a thread; repeat those that are not confirmed."""
    failures: list[BaseException] = []

    def submit_all() -> None:
        try:
            for number in range(plan.jobs):
                _insist(side, f"{plan.name}-{number}")
        except BaseException as error:  # raised below, in the test's own thread
            failures.append(error)
            raise

    thread = threading.Thread(target=submit_all, daemon=True)
    thread.start()
    yield
    thread.join(plan.within_s)
    assert not failures, failures
    assert not thread.is_alive(), "still submitting"


def _insist(side: Side, one: str) -> None:
    for _ in range(600):
        try:
            return side.submit(one)
        except Exception as error:  # Celery wraps the broker's errors in its own
            if isinstance(error, AssertionError):
                raise
            time.sleep(0.1)
    raise AssertionError(f"{one} was never accepted")
