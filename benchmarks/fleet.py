"""Our worker processes against the stub, with a bulk of work for them."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders import ours
from benchmarks.machine import machine_cpu, running, said, server_cpu, tree_cpu
from benchmarks.store import Store
from satyapan import State

STALLED_S: Final = 60.0
"""Seconds without a finished verification after which a run is given up."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds used so far."""

    workers: float
    server: float
    stub: float
    machine: float
    """CPU seconds of all processes on this machine."""


class Fleet:
    """Worker processes of one installation, and its ledger as a producer sees it."""

    def __init__(self, store: Store, pids: list[int], stub: int) -> None:
        self.store = store
        self.pids = pids
        self._stub = stub

    def done(self) -> int:
        """Return the number of finished verifications."""
        return self.store.client.counts()[State.DONE]

    def spent(self) -> Spent:
        """Return the CPU that was used so far."""
        workers = sum(map(tree_cpu, self.pids))
        server, stub = server_cpu(self.store.redis), tree_cpu(self._stub)
        return Spent(workers, server, stub, machine_cpu())

    def until(self, wanted: int, pause: float = 0.02) -> Iterator[int]:
        """Yield the number of finished verifications repeatedly, until it is `wanted`.

        Raises:
            TimeoutError: none has finished for STALLED_S.
        """
        seen, since = -1, time.monotonic()
        while seen < wanted:
            now = self.done()
            if now > seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > STALLED_S:
                raise TimeoutError(f"{seen} of {wanted} finished, then none for a minute")
            yield now
            time.sleep(pause)

    def finish(self, count: int) -> None:
        """Submit `count` verifications in bulk and wait until they are finished."""
        wanted = self.done() + count
        self.store.submit(count)
        for _ in self.until(wanted):
            pass

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop the workers during the block, so that a backlog can grow."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.killpg(pid, number)


@contextmanager
def fleet(
    workers: int, env: Mapping[str, str], store: Store, stub: int, folder: Path
) -> Iterator[Fleet]:
    """Run workers on an emptied server during the block; they are warmed up before it begins."""
    store.redis.flushall()
    with ExitStack() as opened:
        pids = []
        for number in range(workers):
            log = folder / f"worker-{number}.log"
            log.unlink(missing_ok=True)
            command = [sys.executable, *ours.WORKER]
            pids.append(opened.enter_context(running(command, env, log)))
        for number in range(workers):
            said(folder / f"worker-{number}.log", "(worker ready)")
        found = Fleet(store, pids, stub)
        found.finish(200 * workers)
        yield found
