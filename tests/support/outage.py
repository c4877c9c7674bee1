"""A running installation under outages, and the verdict on it."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final, Self

import redis

from satyapan import Verifications
from tests.support.history import History, Verdict, judge, rows_of
from tests.support.installation import Installation, Services, gone, said, until

REQUEST: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


class Trial:
    """An installation with workers that verifies passports; `judge` returns the verdict."""

    def __init__(self, services: Services, name: str, workers: int = 2, **env: str) -> None:
        self.services = services
        self.installation = Installation(services, name, **env)
        self.history = History()
        self.workers = [self.installation.start_worker() for _ in range(workers)]
        self._count = 0
        self.wait(lambda: all(said(one, "worker ready") for one in self.workers), "workers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.installation.end()

    @property
    def server(self) -> Any:
        """Build a client of the server itself, without a proxy."""
        return redis.Redis.from_url(self.services.stack.server.url)

    def submit(self, number: int, producer: Verifications | None = None) -> list[str]:
        """Submit a number of passports, each until it is confirmed; return their ids."""
        ids = []
        for _ in range(number):
            self._count += 1
            ids.append(self.insist(f"{self.installation.name}-{self._count}", producer))
        return ids

    def insist(self, one: str, producer: Verifications | None = None) -> str:
        """Submit repeatedly until it is confirmed."""
        asked = producer or self.installation.producer

        def submitted() -> bool:
            return self.history.submit(asked, "passport", REQUEST, one) == "ok"

        self.wait(submitted, f"{one} is accepted")
        return one

    def settle(self, within: float = 90.0) -> None:
        """Wait until every accepted one is settled."""
        ids = self.history.accepted()
        self.wait(lambda: all(self._settled(one) for one in ids), "all settled", within)

    def seconds_to_work(self, within: float = 90.0) -> float:
        """Submit one; return the seconds until it is settled, when the worker consumes again."""
        begun = time.monotonic()
        (one,) = self.submit(1)
        self.wait(lambda: self._settled(one), "a worker consumes again", within)
        return time.monotonic() - begun

    def alive(self) -> int:
        """Count the workers that still run."""
        return sum(not gone(worker) for worker in self.workers)

    def judge(self, least_done: float = 0.95) -> Verdict:
        """Judge everything that was submitted."""
        ids = list(dict.fromkeys(submit.id for submit in self.history.submits))
        for one in ids * 2:
            self.history.read(self.installation.producer, one)
        self.history.listen(self.installation.producer)
        rows = rows_of(self.installation.producer, ids)
        own = {*ids, *(record.split()[-1] for row in rows.values() for record in row.generations)}
        audit = [e for e in self.services.audit() if e["verification_id"] in own]
        return judge(self.history, audit, rows, least_done=least_done)

    def wait(self, condition: Callable[[], object], what: str, within: float = 60.0) -> None:
        """Wait until a condition holds; fail if it doesn't in time."""
        for _ in until(condition, what, within=within):
            time.sleep(0.05)

    def _settled(self, one: str) -> bool:
        seen = self.history.read(self.installation.producer, one)
        return seen is not None and seen.settled


def restart(trial: Trial) -> None:
    """Kill the server, and start it again on its data."""
    trial.services.stack.server.kill()
    trial.services.stack.server.restart()


def demote(trial: Trial) -> None:
    """Make the server a replica for 3 s: it refuses writes."""
    with trial.server as server:
        server.replicaof("127.0.0.1", "1")
        time.sleep(3)
        server.replicaof("NO", "ONE")


def fill_memory(trial: Trial) -> None:
    """Fill the server's memory for 3 s, under noeviction."""
    with trial.server as server:
        server.config_set("maxmemory", "1mb")
        time.sleep(3)
        server.config_set("maxmemory", "0")


def freeze(trial: Trial) -> None:
    """Stop the server's process for 7 s, longer than any read waits."""
    process = trial.services.stack.server.pid
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(7)
    finally:
        os.kill(process, signal.SIGCONT)


def flush(trial: Trial) -> None:
    """Delete all data."""
    with trial.server as server:
        server.flushall()


def lose_data(trial: Trial) -> None:
    """Kill the server and start it again without its data."""
    server = trial.services.stack.server
    server.kill()
    for path in sorted(server.data.rglob("*"), reverse=True):
        if path.is_file() and path != server.log:
            path.unlink()
    server.restart()
