"""Run all benchmarks, one after the other, and list every figure with its goal.

    python -m benchmarks                                  # short: about ten minutes
    python -m benchmarks --long --peers PYTHON --arq PYTHON --plots DIR
    python -m benchmarks stored drift                     # some of them
    python -m benchmarks --list

Short forms show that everything works; their figures are noisy. The goals are for the long forms on
an otherwise idle machine. Each benchmark runs in its own process; after a time limit it is ended
with all its children. Exits 1 if a benchmark could not be run. A goal that is not reached is
reported, but isn't an error.
"""

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from benchmarks.machine import bounded
from benchmarks.report import Line, Report, machine, table
from demo.process import end, spawn, tail


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: the options of its module, and roughly how many minutes it takes."""

    name: str
    short: str
    long: str
    minutes: tuple[float, float]
    peers: bool = False
    """Whether it has the options for the peers' interpreters."""

    @property
    def module(self) -> str:
        """Return its module, named by the part of its name before the dash."""
        return f"benchmarks.{self.name.partition('-')[0]}"

    def limit_s(self, *, long: bool) -> float:
        """Return the seconds after which it is ended: three times its duration plus a minute."""
        return 60 + self.minutes[long] * 180

    def options(self, *, long: bool, peers: str, arq: str) -> list[str]:
        """Return the options of the short or the long form."""
        pairs = (("--peers", peers), ("--arq", arq)) if self.peers else ()
        more = [word for name, python in pairs if python for word in (name, python)]
        return [*shlex.split(self.long if long else self.short), *more]


_RUN = "--rounds 1 --count 150 --pings 10"
_TLS = "--tls ours celery_bare --rounds"
_QUOTA = "--limit 40 --window 6 --margin 200 --windows"
_CROWD = "--limit 40 --window 12 --margin 200"
_BACKLOG = f"{_CROWD} --count 3000 --length 36 --every 6 --idle 8 --patience 30"
ALL: Final = (
    Benchmark("ceiling", "--seconds 1", "--seconds 10", (0.1, 0.6)),
    Benchmark("run", _RUN, "--rounds 7 --count 600", (1.5, 12), peers=True),
    Benchmark("run-tls", f"{_TLS} 1 --count 80", f"{_TLS} 5 --count 1000", (0.5, 8)),
    Benchmark("latency", "", "--flights 1,4,16,64 --rounds 3 --count 300", (2, 15), peers=True),
    Benchmark("waiting", "--rounds 1", "--rounds 5", (0.4, 2)),
    Benchmark(
        "stored",
        "--rows 1000,10000 --backlog 3000 --rounds 3",
        "--rows 1000,10000,100000,1000000 --backlog 100000 --rounds 7 --times 100",
        (0.3, 10),
    ),
    Benchmark(
        "durability",
        "--rounds 1 --count 100 --bulk 2000 --size 100 --pings 10",
        "--rounds 7 --count 400 --bulk 10000 --size 600",
        (0.6, 8),
    ),
    Benchmark("drift", "--jobs 10000", "--jobs 100000", (0.6, 6)),
    Benchmark("workers", "--rounds 1 --count 1000", "--rounds 5 --count 6000", (0.7, 10)),
    Benchmark("webhooks", "--seconds 5", "--seconds 30", (0.6, 2.5)),
    Benchmark("quota", f"{_QUOTA} 3 --workers 2", "--workers 4", (0.6, 6.5)),
    Benchmark(
        "quota-cut", f"{_QUOTA} 5 --window 12 --workers 2 --cut", "--workers 4 --cut", (1.2, 6.5)
    ),
    Benchmark(
        "returns",
        f"{_CROWD} --links 150 --people 6 --over 30 --patience 60",
        "--links 1000 --people 30 --over 180",
        (1, 5),
    ),
    Benchmark("backlog", _BACKLOG, "--count 200000 --length 180", (1.1, 9)),
    Benchmark("backlog-single", f"{_BACKLOG} --single", "--count 20000 --single", (1.3, 7)),
)


@click.command()
@click.argument("wanted", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listed", is_flag=True, help="List the benchmarks, and run none.")
@click.option("--long", is_flag=True, help="Run the long forms, for which the goals are.")
@click.option("--peers", default="", help="A Python that has benchmarks/requirements.txt.")
@click.option("--arq", default="", help="A Python that has arq, aiohttp and uvloop.")
@click.option("--plots", type=click.Path(path_type=Path), help="Folder for the plots.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder for the JSON files.")
def main(wanted: Sequence[str], plots: Path | None, results: Path | None, **given: Any) -> None:
    """Run benchmarks and compare their figures with the goals."""
    chosen = _chosen(wanted)
    if given.pop("listed"):
        print(table(list(_listed(chosen, **given))))
        return
    most = sum(each.limit_s(long=given["long"]) + 30 for each in chosen) + 120
    with bounded(most), tempfile.TemporaryDirectory(prefix="satyapan-benchmarks-") as place:
        folder = (results or Path(place)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        files = {each.name: _run(each, folder, **given) for each in chosen}
        done = {name: file for name, file in files.items() if file}
        print(_summary(done))
        if plots and done:
            _draw(list(done.values()), plots, given["peers"] or sys.executable)
    failed = ", ".join(files.keys() - done.keys())
    sys.exit(f"could not be run: {failed}" if failed else 0)


def _chosen(wanted: Sequence[str]) -> list[Benchmark]:
    known = {each.name: each for each in ALL}
    if strange := [name for name in wanted if name not in known]:
        raise click.UsageError(f"no benchmark {', '.join(strange)}; there are {', '.join(known)}")
    return [known[name] for name in wanted or known]


def _listed(chosen: Sequence[Benchmark], **given: Any) -> Iterator[Line]:
    for each in chosen:
        options = each.options(**given)
        command = shlex.join(["python", "-m", each.module, *options])
        yield {"name": each.name, "command": command, "about, minutes": each.minutes[given["long"]]}


def _run(each: Benchmark, folder: Path, **given: Any) -> Path | None:
    """Run one within its time limit; return the file it wrote, or None if it failed."""
    print(
        f"{each.name}: about {each.minutes[given['long']]:g} min ...", file=sys.stderr, flush=True
    )
    file, log = folder / f"{each.name}.json", folder / f"{each.name}.log"
    for old in (file, log):
        old.unlink(missing_ok=True)
    options = [*each.options(**given), "--json", str(file)]
    process = spawn([sys.executable, "-m", each.module, *options], log=log)
    start = time.monotonic()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(each.limit_s(long=given["long"]))
    finally:
        end(process, 20)
    return _report(each, file, log, time.monotonic() - start)


def _report(each: Benchmark, file: Path, log: Path, took: float) -> Path | None:
    if not file.exists():
        print(f"{each.name} failed after {took:.0f} s; its output:\n{tail(log)}", file=sys.stderr)
        return None
    print(f"{Report.read(file).text()}\n\ntook {took:.0f} s\n", flush=True)
    return file


def _summary(files: dict[str, Path]) -> str:
    lines = [
        {"benchmark": name, **figure.line()}
        for name, file in files.items()
        for figure in Report.read(file).figures
    ]
    return f"## Beside the goals\n\n{table(lines)}\n\n{machine()}\n"


def _draw(files: Sequence[Path], folder: Path, python: str) -> None:
    """Draw the plots with the peers' interpreter, because only that one has matplotlib."""
    command = [python, "-m", "benchmarks.plots", *map(str, files), "--to", str(folder.absolute())]
    subprocess.run(command, timeout=120, check=False)


if __name__ == "__main__":
    main()
