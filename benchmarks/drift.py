"""Whether a worker's memory grows: its resident memory over very many verifications.

    python -m benchmarks.drift --jobs 10000
    python -m benchmarks.drift                     # 100,000, some minutes

One worker runs against the stub. Verifications are submitted in bulk, so that it always has work.
Drift is the difference between the memory at the end and at a tenth of the run; both are medians
of the samples around that point.
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
"""Verifications that wait, at most."""
_AROUND: Final = 0.05
"""Samples within this share of the run around a point are combined."""
Sample = tuple[int, float]
"""Number of verifications done, and the resident memory in MB."""


def samples(crew: Fleet, jobs: int) -> Iterator[Sample]:
    """Keep a worker busy, and yield samples of its memory, more than a hundred."""
    before, submitted = crew.done(), 0
    for done in crew.until(before + jobs, pause=0.05):
        if submitted < jobs and submitted - (done - before) < AHEAD:
            submitted += len(crew.store.submit(min(AHEAD // 2, jobs - submitted)))
        yield done - before, tree_resident(crew.pids[0])


def drift(found: Sequence[Sample], jobs: int) -> float:
    """Return the difference between the memory at the end and at a tenth, in per cent."""
    return (_around(found, jobs, 1.0) / _around(found, jobs, 0.1) - 1) * 100


def _around(found: Sequence[Sample], jobs: int, share: float) -> float:
    low, high = (share - _AROUND) * jobs, (share + _AROUND) * jobs
    return median(memory for done, memory in found if low <= done <= high)


def line(found: Sequence[Sample], jobs: int, share: float) -> Line:
    """Return the table's line for a share of the run."""
    done, memory = min(found, key=lambda sample: abs(sample[0] - jobs * share))
    return {"done": done, "resident MB": memory}


@click.command()
@click.option("--jobs", default=100_000, show_default=True, help="Verifications.")
@click.option("--latency", default=20, show_default=True, help="Latency of the vendor, in ms.")
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
