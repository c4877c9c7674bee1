"""The cost of `appendfsync always` compared with `everysec`, for submits and verifications.

    python -m benchmarks.durability
    python -m benchmarks.durability --rounds 7 --count 200 --bulk 10000 --size 600

One server is switched between the two settings for each step, so that other load on the machine
affects both equally. Figures are medians over the rounds. For submits, each producer is a process
with its own connection. Under `always` one fsync confirms the writes of several producers, and all
rows of a bulk.

An fsync of the disk is measured separately and shown below the table.
"""

import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import redis

from benchmarks.machine import bounded, server_cpu, settings, vendor
from benchmarks.report import Figure, Line, Report, json_option
from benchmarks.rounds import Testbed
from benchmarks.run import compare, middle
from benchmarks.store import REQUEST
from demo.server import EmbeddedServer
from satyapan import Verification, Verifications

POLICIES: Final = ("everysec", "always")
MANY: Final = 32
ONE: Final = "submit, 1 producer"
SINGLE: Final = "verification, single"
WHOLE: Final = {SINGLE: "ours", "verification, bulk": "ours_bulk"}
"""Steps that need a worker, and their contenders."""
QUOTA: Final = 100
MOST_MS: Final = 25.0
MOST_CPU: Final = 1.25
LEAST_RATE: Final = 0.5
LEAST_QUOTAS: Final = 10.0
_ONE_BY_ONE: Final = (ONE, SINGLE)
"""Steps that wait for one fsync after the other. The ratio of their rates is not a goal."""
_WARM_UP: Final = 5
_PATIENCE_S: Final = 60
_CHUNK: Final = 1000
_FORK: Final = multiprocessing.get_context("fork")
"""Fork, because children then have all imports, so that 32 of them start quickly."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One step in one round under one setting. CPU is in ms per verification, times are in ms."""

    rate: float
    p50: float
    server: float
    p99: float = 0.0
    """For submits only."""
    cpu: float = 0.0
    """CPU of worker, producer and Redis; for whole verifications only."""


Found = Mapping[str, Mapping[str, Sequence[Sample | None]]]
"""Samples by step, setting and round."""


class Producers:
    """Submits from several processes at once, each with its own connection."""

    def __init__(self, env: Mapping[str, str], producers: int) -> None:
        self._env = env
        self._producers = producers
        self._barrier = _FORK.Barrier(producers)

    def submit(self, count: int, bulk: int = 0) -> tuple[float, list[float]]:
        """Submit `count` rows or bulks in each process; return total seconds and the ms of each."""
        with _FORK.Pool(self._producers, _enter, (self._env, self._barrier)) as pool:
            found = pool.map(_submit, [(count, bulk)] * self._producers, chunksize=1)
        seconds = max(end for _, end, _ in found) - min(start for start, _, _ in found)
        return seconds, [span for _, _, spans in found for span in spans]


_entered: list[Any] = []


def _enter(env: Mapping[str, str], barrier: Any) -> None:
    """Initialise a producer's process. It needs its own client, because a fork can't share one."""
    # The pool ends its processes by SIGTERM. The handler of `bounded` would wait for a lock.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _entered[:] = [Verifications.from_env(env), barrier]


def _submit(task: tuple[int, int]) -> tuple[float, float, list[float]]:
    """Submit in this process; return the times of start and end, and the ms of each submit."""
    count, bulk = task
    client, barrier = _entered
    for number in range(_WARM_UP):
        _one(client, f"warm-{number}", min(bulk, _WARM_UP))
    barrier.wait(_PATIENCE_S)  # a process that waits here takes no second task
    start, spans = time.perf_counter(), []
    for number in range(count):
        begun = time.perf_counter()
        _one(client, str(number), bulk)
        spans.append((time.perf_counter() - begun) * 1000)
    return start, time.perf_counter(), spans


def _one(client: Verifications, name: str, bulk: int) -> None:
    """Submit one row, or a bulk; raise if a row isn't confirmed."""
    key = f"{os.getpid()}-{time.time_ns()}-{name}"
    if not bulk:
        client.submit("passport", REQUEST, key=key)
        return
    items = [{"request": REQUEST, "key": f"{key}-{number}"} for number in range(bulk)]
    for one in client.submit_many("passport", items):
        if not isinstance(one, Verification):
            raise one


@dataclass(frozen=True)
class StepRunner:
    """The steps of a round, each on an emptied server."""

    testbed: Testbed
    client: Any
    count: int
    bulk: int
    size: int
    pings: int

    def steps(self) -> dict[str, Callable[[], Sample | None]]:
        """Return the functions that measure the steps, by name."""
        return {
            ONE: lambda: self._submits(1, self.count),
            f"submit, {MANY} producers": lambda: self._submits(MANY, self.count // 4),
            "submit in bulk": lambda: self._submits(1, self.bulk // _CHUNK, _CHUNK),
            **{step: partial(self._whole, contender) for step, contender in WHOLE.items()},
        }

    def play(self, rounds: int) -> Found:
        """Run all rounds, with alternating settings in each step."""
        steps = self.steps()
        found: dict[str, dict[str, list[Sample | None]]] = {
            step: {policy: [] for policy in POLICIES} for step in steps
        }
        for number in range(rounds):
            for step, measure in steps.items():
                # The second of two runs on a warmer machine, so the order alternates.
                for policy in POLICIES if number % 2 else reversed(POLICIES):
                    self.client.config_set("appendfsync", policy)
                    found[step][policy].append(measure())
            print(f"round {number + 1}", file=sys.stderr, flush=True)
        return found

    def _submits(self, producers: int, count: int, bulk: int = 0) -> Sample:
        self.client.flushall()
        work = Producers(self.testbed.env, producers)
        before = server_cpu(self.client)
        seconds, spans = work.submit(count, bulk)
        used = server_cpu(self.client) - before
        rows = producers * count * (bulk or 1)
        warm_up = producers * _WARM_UP * (_WARM_UP if bulk else 1)
        cuts = statistics.quantiles(spans, n=100, method="inclusive")
        return Sample(rows / seconds, cuts[49], used * 1000 / (rows + warm_up), p99=cuts[98])

    def _whole(self, contender: str) -> Sample | None:
        got = self.testbed.tried(sys.executable, contender, self.size, self.pings)
        return Sample(got.rate, got.p50, got.server, cpu=got.cpu) if got else None


def lines(found: Found) -> list[Line]:
    """Return the lines of the table."""
    return [_line(step, policy, found[step]) for step in found for policy in POLICIES]


def _line(step: str, policy: str, found: Mapping[str, Sequence[Sample | None]]) -> Line:
    rates = [each.rate for each in found[policy] if each]
    if not rates:
        return {"step": step, "appendfsync": policy, "a second": "failed in every round"}
    return {
        "step": step,
        "appendfsync": policy,
        "a second": middle(found, policy, "rate"),
        "least to most": f"{min(rates):,.0f} to {max(rates):,.0f}",
        "p50 ms": middle(found, policy, "p50"),
        "p99 ms": middle(found, policy, "p99") or "",
        "Redis CPU ms": middle(found, policy, "server"),
        "CPU ms": middle(found, policy, "cpu") or "",
    }


def figures(found: Found) -> list[Figure]:
    """Return the costs of `always`, with their goals."""
    patience = middle(found[ONE], "always", "p99")
    alone = middle(found[SINGLE], "always", "rate")
    return [
        Figure(what=f"{ONE}, p99 under always", value=patience, goal=MOST_MS, unit="ms"),
        Figure(
            what=f"{SINGLE}, a minute under always beside the usual quota of 100",
            value=alone and alone * 60 / QUOTA,
            goal=LEAST_QUOTAS,
            unit="x",
            at_least=True,
        ),
        *(_beside(found, step, "rate", LEAST_RATE) for step in found if step not in _ONE_BY_ONE),
        *(_beside(found, step, "cpu", MOST_CPU) for step in WHOLE),
    ]


def _beside(found: Found, step: str, part: str, goal: float) -> Figure:
    value = compare(found[step], "always", "everysec", part)
    what = f"{step}, {part} under always beside everysec"
    return Figure(what=what, value=value, goal=goal, unit="x", at_least=part == "rate")


def fsync_ms(folder: Path, times: int = 300) -> tuple[float, float]:
    """Return p50 and p99 of appending a kilobyte to a file with an fsync, in ms."""
    spans = []
    with (folder / "fsync").open("ab", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(b"x" * 1024)
            os.fsync(file.fileno())
            spans.append((time.perf_counter() - start) * 1000)
    cuts = statistics.quantiles(spans, n=100, method="inclusive")
    return cuts[49], cuts[98]


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--count", default=400, show_default=True, help="Submits by the single producer.")
@click.option(
    "--bulk",
    default=10_000,
    show_default=True,
    type=click.IntRange(2 * _CHUNK),
    help="Rows, in bulks of 1,000.",
)
@click.option("--size", default=300, show_default=True, help="Verifications a round.")
@click.option("--pings", default=30, show_default=True, help="Verifications one at a time.")
@click.option("--latency", default=20, show_default=True, help="Latency of the vendor, in ms.")
@json_option
def main(rounds: int, latency: int, file: Path | None, **given: int) -> None:
    """Measure each step under both settings."""
    with (
        bounded(120 + rounds * 120),
        tempfile.TemporaryDirectory(prefix="satyapan-durability-") as place,
        EmbeddedServer(Path(place) / "redis") as server,
        vendor(Path(place)) as stub,
        redis.Redis.from_url(server.url) as client,
    ):
        folder = Path(place)
        env = settings(server.url, f"{stub.address}/{latency}", {})
        before = fsync_ms(folder)
        found = StepRunner(Testbed(server.url, stub.pid, env, folder), client, **given).play(rounds)
        p50, p99 = (statistics.mean(pair) for pair in zip(before, fsync_ms(folder), strict=True))
    Report(
        name="appendfsync always beside everysec",
        lines=lines(found),
        figures=figures(found),
        notes=[f"write and fsync of 1 kB on this disk: p50 {p50:.2f} ms, p99 {p99:.2f} ms"],
    ).tell(file)


if __name__ == "__main__":
    main()
