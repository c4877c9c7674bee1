"""The cost of waiting: many threads of one process wait for results that come at a steady rate.

    python -m benchmarks.waiting
    python -m benchmarks.waiting --waiters 1000 --rate 400 --rounds 3

Compares ours (one listener per process) with Celery's `AsyncResult.get` in its default settings.
The process that produces the results is not counted. Latency is from the commit of a result to the
return of its wait.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.machine import ROOT, bounded, ledger, settings
from benchmarks.report import Figure, Line, Report, json_option


class Found(NamedTuple):
    """One round of one side: CPU of the waiting process, and the latency of results."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float


class Celerys:
    """Results through Celery's result backend."""

    def __init__(self) -> None:
        from celery import Celery  # noqa: PLC0415  each process loads its own side only

        url = os.environ["BENCH_REDIS_URL"]
        self._app = Celery("waiting", broker=url, backend=url)

    def names(self, count: int) -> list[str]:
        """Return names for future results."""
        return [f"t-{number}" for number in range(count)]

    def wait(self, name: str) -> None:
        """Wait for a result as an application does."""
        self._app.AsyncResult(name).get(timeout=120)

    def finish(self, name: str) -> None:
        """Store a result."""
        self._app.backend.store_result(name, {"status": "VALID"}, "SUCCESS")


class Ours:
    """Results through the row and the channel."""

    def __init__(self) -> None:
        from benchmarks.store import Store  # noqa: PLC0415  each process loads its own side only

        self._store = Store(os.environ["BENCH_REDIS_URL"])

    def names(self, count: int) -> list[str]:
        """Submit verifications; no worker runs."""
        return self._store.submit(count)

    def wait(self, name: str) -> None:
        """Wait for a result as an application does."""
        self._store.client.wait(name, timeout=120)

    def finish(self, name: str) -> None:
        """End a verification."""
        self._store.finish(name)


SIDES: dict[str, Callable[[], Any]] = {"ours": Ours, "celery": Celerys}


def wait(side: str, names: list[str]) -> None:
    """Wait for each in its own thread; print READY, then CPU and the time of each result."""
    waiting, came = SIDES[side](), dict[str, float]()
    before = _cpu()  # without the imports at the start of the process

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


def once(side: str, waiters: int, rate: float) -> Found:
    """Measure one side on a fresh server."""
    with tempfile.TemporaryDirectory() as place, ledger(Path(place)) as server:
        env = settings(server.url, "http://127.0.0.1:1", {})
        os.environ.update(env)
        maker = SIDES[side]()
        names = maker.names(waiters)
        with _child(side, env) as child:
            return _finish_all(child, maker, names, rate)


@contextmanager
def _child(side: str, env: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """Run the waiting process during the block."""
    command = [sys.executable, "-m", "benchmarks.waiting", "--wait", side]
    with subprocess.Popen(
        command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _finish_all(child: "subprocess.Popen[str]", maker: Any, names: list[str], rate: float) -> Found:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child has no pipes")
    child.stdin.write(json.dumps(names) + "\n")
    child.stdin.flush()
    child.stdout.readline()
    time.sleep(3)  # by then all of them wait
    made = dict(_paced(maker, names, rate))
    found = json.loads(child.stdout.readline())
    spans = sorted((found["came"][name] - made[name]) * 1000 for name in names)
    return Found(found["cpu_ms"], spans[len(spans) // 2], spans[len(spans) * 99 // 100])


def _paced(maker: Any, names: list[str], rate: float) -> Iterator[tuple[str, float]]:
    start = time.monotonic()
    for number, name in enumerate(names):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        maker.finish(name)
        yield name, time.monotonic()


def line(side: str, rounds: Sequence[Found], base: float) -> Line:
    """Return the table's line with the medians of a side; `base` is Celery's CPU."""
    cpu, p50, p99 = (statistics.median(part) for part in zip(*rounds, strict=True))
    return {
        "side": side,
        "CPU ms a result": cpu,
        "x Celery": cpu / base,
        "p50 ms": p50,
        "p99 ms": p99,
    }


def figures(ours: Line, waiters: int, rate: float) -> list[Figure]:
    """Return the figures of our side, with their goals."""
    what = f"{waiters:,} waiters at {rate:g} results/s"
    ratio, late = ours["x Celery"], ours["p99 ms"]
    return [
        Figure(what=f"{what}, CPU beside AsyncResult.get", value=ratio, goal=0.2, unit="x"),
        Figure(what=f"{what}, p99 from commit to waiter", value=late, goal=5.0, unit="ms"),
    ]


@click.command()
@click.option("--waiters", default=1000, show_default=True)
@click.option("--rate", default=400.0, show_default=True, help="Results a second.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--wait", "side", default="", hidden=True)
@json_option
def main(waiters: int, rate: float, rounds: int, side: str, file: Path | None) -> None:
    """Measure the cost of waiting."""
    if side:  # the child
        wait(side, json.loads(sys.stdin.readline()))
        return
    found: dict[str, list[Found]] = {name: [] for name in SIDES}
    with bounded(60 + rounds * 2 * (60 + waiters / rate)):
        for _ in range(rounds):
            for name in SIDES:
                found[name].append(once(name, waiters, rate))
    base = statistics.median(each.cpu_ms for each in found["celery"])
    lines = [line(name, rounds_, base) for name, rounds_ in found.items()]
    goals = figures(lines[0], waiters, rate)
    Report(name="waiting for results", lines=lines, figures=goals).tell(file)


if __name__ == "__main__":
    main()
