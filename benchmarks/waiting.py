"""What waiting costs: many threads of one process wait, results come at a steady rate.

    python -m benchmarks.waiting
    python -m benchmarks.waiting --waiters 1000 --rate 400 --rounds 3

Ours (one listener for the process) beside Celery's `AsyncResult.get` with its default settings.
The process that makes results is not counted. Latency is from the result's commit to its waiter.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, settings
from demo.server import EmbeddedServer


class Celerys:
    """Results by Celery's backend."""

    def __init__(self) -> None:
        from celery import Celery  # noqa: PLC0415  each process loads its own side only

        url = os.environ["BENCH_REDIS_URL"]
        self._app = Celery("waiting", broker=url, backend=url)

    def names(self, count: int) -> list[str]:
        """Name results to come."""
        return [f"t-{number}" for number in range(count)]

    def wait(self, name: str) -> None:
        """Wait as one would."""
        self._app.AsyncResult(name).get(timeout=120)

    def finish(self, name: str) -> None:
        """Store a result."""
        self._app.backend.store_result(name, {"status": "VALID"}, "SUCCESS")


class Ours:
    """Results by the row and the channel."""

    def __init__(self) -> None:
        from benchmarks.store import Store  # noqa: PLC0415  as above

        self._store = Store(os.environ["BENCH_REDIS_URL"])

    def names(self, count: int) -> list[str]:
        """Submit, without waking anybody."""
        return self._store.submit(count)

    def wait(self, name: str) -> None:
        """Wait as one would."""
        self._store.client.wait(name, timeout=120)

    def finish(self, name: str) -> None:
        """End a verification."""
        self._store.finish(name)


SIDES: dict[str, Callable[[], Any]] = {"ours": Ours, "celery": Celerys}


def wait(side: str, names: list[str]) -> None:
    """Wait for all, each in a thread; says READY, then prints CPU and when each was in hand."""
    before = _cpu()
    waiting, came = SIDES[side](), dict[str, float]()

    def one(name: str) -> None:
        waiting.wait(name)
        came[name] = time.monotonic()

    threads = [threading.Thread(target=one, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    print("READY", flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps({"cpu_ms": (_cpu() - before) * 1000 / len(names), "came": came}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def once(side: str, waiters: int, rate: float) -> tuple[float, list[float]]:
    """Measure one side on a fresh server: CPU in ms a result, and the latencies in ms."""
    with tempfile.TemporaryDirectory() as place, EmbeddedServer(Path(place)) as server:
        env = settings(server.url, "http://127.0.0.1:1", {})
        os.environ.update(env)
        maker = SIDES[side]()
        names = maker.names(waiters)
        command = [sys.executable, "-m", "benchmarks.waiting", "--wait", side]
        with subprocess.Popen(
            command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            return _finish_all(child, maker, names, rate)


def _finish_all(
    child: "subprocess.Popen[str]", maker: Any, names: list[str], rate: float
) -> tuple[float, list[float]]:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child has no pipes")
    child.stdin.write(json.dumps(names) + "\n")
    child.stdin.flush()
    child.stdout.readline()
    time.sleep(3)  # all of them wait
    made = dict(_paced(maker, names, rate))
    told = json.loads(child.stdout.readline())
    spans = sorted((told["came"][name] - made[name]) * 1000 for name in names)
    return told["cpu_ms"], spans


def _paced(maker: Any, names: list[str], rate: float) -> Iterator[tuple[str, float]]:
    start = time.monotonic()
    for number, name in enumerate(names):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        maker.finish(name)
        yield name, time.monotonic()


def main() -> None:
    """Wait, as a child; or run the rounds and print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--waiters", type=int, default=1000)
    options.add_argument("--rate", type=float, default=400)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--wait", default="")
    given = options.parse_args()
    if given.wait:
        wait(given.wait, json.loads(sys.stdin.readline()))
        return
    found: dict[str, list[tuple[float, list[float]]]] = {side: [] for side in SIDES}
    for _ in range(given.rounds):
        for side in SIDES:
            found[side].append(once(side, given.waiters, given.rate))
    print("| side | CPU ms a result | x Celery | p50 ms | p99 ms |\n|---|---|---|---|---|")
    base = statistics.median(cpu for cpu, _ in found["celery"])
    for side, rounds in found.items():
        cpu = statistics.median(each for each, _ in rounds)
        p50 = statistics.median(spans[len(spans) // 2] for _, spans in rounds)
        p99 = statistics.median(spans[len(spans) * 99 // 100] for _, spans in rounds)
        print(f"| {side} | {cpu:.2f} | {cpu / base:.2f} | {p50:.2f} | {p99:.2f} |")


if __name__ == "__main__":
    main()
