"""Two worker processes compared with one: the rate of a deep backlog, and what limits it.

    python -m benchmarks.workers
    python -m benchmarks.workers --count 6000 --rounds 5 --latencies 20,300

Workers are stopped while a bulk is submitted, then continued. The rate is measured in the middle of
the backlog, so that neither the start nor the last few calls count. On few cores two workers gain
nothing with a fast vendor, because server and stub need cores too. They gain with a slow vendor,
and real vendors are slow.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks.fleet import Fleet, fleet
from benchmarks.machine import bounded, ledger, settings, vendor
from benchmarks.report import Figure, Line, Report, json_option
from benchmarks.store import Store

GOAL: Final = 1.7
CALLS: Final = 64
"""Calls that one worker has in flight, at most."""
_MARKS: Final = 5
_SHARE: Final = 0.85
"""From this share of a limit on, that limit counts as the bound."""


@dataclass(frozen=True, slots=True)
class Run:
    """The middle of one backlog: its rate, and the number of cores that each part used."""

    rate: float
    workers: float
    server: float
    stub: float
    machine: float
    """All processes of the machine, including the measurement itself."""


def measure(crew: Fleet, count: int) -> Run:
    """Process a backlog, and measure between its first fifth and its last."""
    before = crew.done()
    with crew.held():
        crew.store.submit(count)
    low, high = before + count * 0.2, before + count * 0.8
    marks = [
        (done, time.perf_counter(), crew.spent())
        for done in crew.until(before + count)
        if low <= done <= high
    ]
    if len(marks) < _MARKS:
        raise RuntimeError(f"{count} verifications are too few to be measured: raise --count")
    (first, start, had), (last, end, has) = marks[0], marks[-1]
    seconds = end - start
    return Run(
        (last - first) / seconds,
        (has.workers - had.workers) / seconds,
        (has.server - had.server) / seconds,
        (has.stub - had.stub) / seconds,
        (has.machine - had.machine) / seconds,
    )


def bound(run: Run, workers: int, latency: int, cores: int) -> str:
    """Return the name of what limits the rate."""
    if run.rate * latency / 1000 >= _SHARE * CALLS * workers:
        return "calls under way"
    if run.workers >= _SHARE * workers:
        return "one core per worker"
    if run.machine >= _SHARE * cores:
        return "the machine's cores"
    return "none of these: waits between Redis and the vendor"


def line(runs: Sequence[Run], workers: int, latency: int, cores: int) -> Line:
    """Return the table's line with the medians of some runs."""
    middle = Run(*(median(getattr(run, part) for run in runs) for part in Run.__slots__))
    return {
        "vendor ms": latency,
        "workers": workers,
        "verif/s": middle.rate,
        "least": min(run.rate for run in runs),
        "most": max(run.rate for run in runs),
        "calls under way": middle.rate * latency / 1000,
        "cores: workers": middle.workers,
        "Redis": middle.server,
        "stub": middle.stub,
        f"whole machine, of {cores}": middle.machine,
        "bound by": bound(middle, workers, latency, cores),
    }


def figure(lines: Sequence[Line], latency: int) -> Figure:
    """Return the rate of two workers divided by that of one, with its goal."""
    one, two = (each["verif/s"] for each in lines if each["vendor ms"] == latency)
    what = f"two workers beside one, vendor at {latency} ms"
    return Figure(what=what, value=two / one, goal=GOAL, unit="x", at_least=True)


@click.command()
@click.option(
    "--latencies", default="20,300", show_default=True, help="Latencies of the vendor, in ms."
)
@click.option("--count", default=2000, show_default=True, help="Verifications a run.")
@click.option("--rounds", default=2, show_default=True)
@json_option
def main(latencies: str, count: int, rounds: int, file: Path | None) -> None:
    """Compare two worker processes with one."""
    cores, delays = len(os.sched_getaffinity(0)), [int(each) for each in latencies.split(",")]
    found: dict[tuple[int, int], list[Run]] = {(ms, n): [] for ms in delays for n in (1, 2)}
    limit = 120 + rounds * len(found) * (30 + count / 40)
    with bounded(limit), tempfile.TemporaryDirectory(prefix="satyapan-workers-") as place:
        folder = Path(place)
        with ledger(folder / "redis") as server, vendor(folder) as stub:
            for _ in range(rounds):
                for (ms, workers), runs in found.items():
                    env = settings(server.url, f"{stub.address}/{ms}", {})
                    with fleet(workers, env, Store(server.url, env), stub.pid, folder) as crew:
                        runs.append(measure(crew, count))
                    text = f"vendor {ms} ms, {workers} worker(s): {runs[-1].rate:.0f}/s"
                    print(text, file=sys.stderr, flush=True)
    lines = [line(runs, workers, ms, cores) for (ms, workers), runs in found.items()]
    goals = [figure(lines, ms) for ms in delays]
    Report(name="two workers beside one", lines=lines, figures=goals).tell(file)


if __name__ == "__main__":
    main()
