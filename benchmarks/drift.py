"""Whether a worker's memory stays flat: its resident memory over very many verifications.

    python -m benchmarks.drift --jobs 10000
    python -m benchmarks.drift                     # 100,000, some minutes

One worker, submitted to in bulk so that it always has work, against the stub. Drift is how much
the end differs from the tenth part; each is the median of the samples around it.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks.fleet import Fleet, fleet
from benchmarks.machine import bounded, ledger, settings, tree_resident, vendor
from benchmarks.report import Figure, Line, Report, json_option
from benchmarks.store import Store

GOAL: Final = 5.0
AHEAD: Final = 2000
"""How many verifications wait at most."""
_AROUND: Final = 0.05
"""Samples so far from a place, as a share of the whole, are taken together."""
Sample = tuple[int, float]
"""How many were done, and the resident memory in MB."""


def samples(crew: Fleet, jobs: int) -> Iterator[Sample]:
    """Keep a worker busy, and look at its memory a hundred times and more."""
    before, submitted = crew.done(), 0
    for done in crew.until(before + jobs, pause=0.05):
        if submitted < jobs and submitted - (done - before) < AHEAD:
            submitted += len(crew.store.submit(min(AHEAD // 2, jobs - submitted)))
        yield done - before, tree_resident(crew.pids[0])


def drift(found: Sequence[Sample], jobs: int) -> float:
    """Give by how many percent the memory at the end differs from that at a tenth."""
    return (_around(found, jobs, 1.0) / _around(found, jobs, 0.1) - 1) * 100


def _around(found: Sequence[Sample], jobs: int, share: float) -> float:
    low, high = (share - _AROUND) * jobs, (share + _AROUND) * jobs
    return median(memory for done, memory in found if low <= done <= high)


def line(found: Sequence[Sample], jobs: int, share: float) -> Line:
    """Write a line of the table."""
    done, memory = min(found, key=lambda sample: abs(sample[0] - jobs * share))
    return {"done": done, "resident MB": memory}


@click.command()
@click.option("--jobs", default=100_000, show_default=True, help="Verifications.")
@click.option("--latency", default=20, show_default=True, help="The vendor's, in ms.")
@json_option
def main(jobs: int, latency: int, file: Path | None) -> None:
    """Measure how a worker's memory grows."""
    start = time.perf_counter()
    limit = 120 + jobs / 50
    with bounded(limit), tempfile.TemporaryDirectory(prefix="satyapan-drift-") as place:
        folder = Path(place)
        with ledger(folder / "redis") as server, vendor(folder) as stub:
            env = settings(server.url, f"{stub.address}/{latency}", {})
            with fleet(1, env, Store(server.url, env), stub.pid, folder) as crew:
                found = list(samples(crew, jobs))
    what = f"a worker's memory, from {jobs // 10:,} to {jobs:,} verifications"
    Report(
        name="drift of a worker's memory",
        lines=[line(found, jobs, share / 10) for share in range(11)],
        figures=[Figure(what=what, value=drift(found, jobs), goal=GOAL, unit="%")],
        notes=[f"{jobs / (time.perf_counter() - start):.0f} verifications/s, all in all"],
    ).tell(file)


if __name__ == "__main__":
    main()
