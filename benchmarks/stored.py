"""The memory of a finished passport, and how stored rows and a backlog slow each step down.

    python -m benchmarks.stored
    python -m benchmarks.stored --rows 1000,10000,100000,1000000 --backlog 100000

Each number of finished rows has its own server, which is filled first: one row by the ledger's own
scripts, the rest by batches on the server. Each row has its own id, sealed result and event, and
can be read and decrypted like the first. The last server has the most rows and a backlog of
verifications, submitted in bulk, that are all due. The steps are measured on all servers in turn,
so that other load on the machine affects all equally; times are medians. No server rewrites its
append-only file meanwhile, because that starts at any time and uses a whole core.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks.machine import bounded, ledger
from benchmarks.report import Figure, Line, Report, json_option
from benchmarks.store import Store
from satyapan import State

LEAST_BACKLOG: Final = 1000
SAME: Final = 1.25
"""Goal: how many times as long a step may take as with the fewest rows, noise included."""
MOST_BYTES: Final = 1200
STEPS: Final = ("submit ms", "claim ms", "work ms", "sweep ms", "list ms", "sweep, us a due row")


@dataclass
class FilledServer:
    """A server with its rows, and the ms that each step took there."""

    store: Store
    rows: int
    backlog: int
    row_bytes: int = 0
    all_bytes: float = 0.0
    spans: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})

    def fill(self) -> None:
        """Add the rows and the backlog."""
        self.store.keep_file()
        before, start = self.store.used(), time.perf_counter()
        row_id = self.store.fill(self.rows)
        self.row_bytes = self.store.row_bytes(row_id)
        self.all_bytes = (self.store.used() - before) / self.rows
        self.store.submit(self.backlog)
        took = time.perf_counter() - start
        text = f"{self.rows:,} rows and {self.backlog:,} waiting: {took:.0f} s"
        print(text, file=sys.stderr, flush=True)

    def measure(self, times: int) -> None:
        """Measure each step `times` times; some steps half as often."""
        store, ids = self.store, list[str]()
        self._take("submit ms", times, lambda: ids.append(store.submit_one()))
        self._take("claim ms", times // 2, lambda: store.parts.ledger.claim(ids.pop()))
        self._take("work ms", times // 2, lambda: store.finish(ids.pop()))
        self._take("list ms", times, lambda: store.client.newest(State.DONE, 20))
        self._sweep_all()
        self._take("sweep ms", times, store.parts.sweep.once)

    def _sweep_all(self) -> None:
        """Wake the whole backlog, so that the following sweeps find nothing due."""
        due, start = self.store.make_due(), time.perf_counter()
        self.store.parts.sweep.once()
        self.spans["sweep, us a due row"].append((time.perf_counter() - start) * 1e6 / due)

    def _take(self, step: str, times: int, work: Callable[[], object]) -> None:
        for _ in range(times):
            start = time.perf_counter()
            work()
            self.spans[step].append((time.perf_counter() - start) * 1000)

    def line(self) -> Line:
        """Write the line of the table."""
        sizes = {"finished rows": self.rows, "waiting": self.backlog}
        memory = {"bytes a row": self.row_bytes, "bytes in all": self.all_bytes}
        return {**sizes, **memory, **{step: median(self.spans[step]) for step in STEPS}}


def figures(lines: Sequence[Line]) -> list[Figure]:
    """Compare the fullest server with the emptiest, and sizes with their goal."""
    first, last = lines[0], lines[-1]
    beside = f"beside {last['finished rows']:,} rows and {last['waiting']:,} due"
    sizes = {"its row": last["bytes a row"], "with event and indexes": last["bytes in all"]}
    ratios = {step.partition(" ms")[0]: last[step] / first[step] for step in STEPS}
    return [
        *(
            Figure(what=f"a finished passport, {what}", value=size, goal=MOST_BYTES, unit="bytes")
            for what, size in sizes.items()
        ),
        *(
            Figure(what=f"{step} {beside}", value=ratio, goal=SAME, unit="x")
            for step, ratio in ratios.items()
        ),
    ]


def filled_servers(opened: ExitStack, sizes: Sequence[int], backlog: int) -> list[FilledServer]:
    """Start and fill the servers, the smallest first, the one with the backlog last."""
    wanted = [(rows, LEAST_BACKLOG) for rows in sizes] + [(max(sizes), backlog)]
    found = []
    for rows, waiting in wanted:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="satyapan-stored-")))
        server = opened.enter_context(ledger(folder))
        found.append(FilledServer(Store(server.url), rows, waiting))
        found[-1].fill()
    return found


@click.command()
@click.option("--rows", default="1000,10000,100000", show_default=True, help="Finished rows.")
@click.option("--backlog", default=10_000, show_default=True, help="How many are due, at last.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--times", default=40, show_default=True, help="Each step in a round.")
@json_option
def main(rows: str, backlog: int, rounds: int, times: int, file: Path | None) -> None:
    """Measure each step with different numbers of stored rows."""
    sizes = sorted(int(size) for size in rows.split(","))
    limit = 120 + (sum(sizes) + max(sizes)) / 2000 + backlog / 50
    with bounded(limit), ExitStack() as opened:
        found = filled_servers(opened, sizes, backlog)
        for number in range(rounds):
            for server in found:
                server.measure(times)
            print(f"round {number + 1}", file=sys.stderr, flush=True)
        lines = [each.line() for each in found]
    Report(name="stored rows and a backlog", lines=lines, figures=figures(lines)).tell(file)


if __name__ == "__main__":
    main()
