"""Throughput against latency: each contender with different numbers of verifications in flight.

    python -m benchmarks.latency
    python -m benchmarks.latency --flights 1,4,16,64 --rounds 3 --peers PYTHON --arq PYTHON

Each verification has its own submit and wait, in threads of one producer, or in coroutines if the
functions of the contender's library are async.
"""

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import bounded, drive
from benchmarks.report import Line, Report, json_option
from benchmarks.rounds import Testbed, pythons
from benchmarks.run import on_testbed

Spans = tuple[float, list[float]]
"""A rate, and the duration of each verification in ms."""
Rounds = Mapping[str, Sequence[Mapping[int, Spans]]]
"""The curves of each contender: the measurements by number in flight."""


def curve(
    testbed: Testbed, python: str, contender: str, flights: Sequence[int], size: int
) -> dict[int, Spans]:
    """Measure a contender at each number in flight, up to the first failure."""
    found: dict[int, Spans] = {}
    try:
        with testbed.workers(python, contender):
            for flight in flights:
                seen = drive(python, contender, "load", max(size, flight * 5), testbed.env, flight)
                spans = sorted(seen["spans_ms"])
                found[flight] = len(spans) / seen["seconds"], spans
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(str(error)[-300:], file=sys.stderr)
    return found


def lines(rounds: Rounds, flights: Sequence[int]) -> list[Line]:
    """Return the table's lines: medians over the rounds."""
    found: list[Line] = []
    for name, curves in rounds.items():
        for flight in flights:
            seen = [each[flight] for each in curves if flight in each]
            if seen:
                found.append({"contender": name, "in flight": flight, **_middle(seen)})
    return found


def _middle(seen: Sequence[Spans]) -> dict[str, float]:
    return {
        "verif/s": statistics.median(rate for rate, _ in seen),
        "p50 ms": statistics.median(spans[len(spans) // 2] for _, spans in seen),
        "p99 ms": statistics.median(spans[len(spans) * 99 // 100] for _, spans in seen),
    }


@click.command()
@click.argument("wanted", nargs=-1)
@click.option("--flights", default="1,8,64", show_default=True)
@click.option("--rounds", default=1, show_default=True)
@click.option("--count", "size", default=150, show_default=True, help="Verifications a point.")
@click.option("--latency", default=20, show_default=True, help="Latency of the vendor, in ms.")
@click.option("--peers", default="", help="A Python that has requirements.txt.")
@click.option("--arq", default="", help="A Python that has arq and aiohttp.")
@json_option
def main(wanted: Sequence[str], flights: str, file: Path | None, **given: Any) -> None:
    """Measure throughput against latency; WANTED names contenders."""
    contenders, missing = pythons(wanted, given["peers"], given["arq"])
    contenders.pop("ours_bulk", "")  # a bulk has no single verification to wait for
    points = [int(flight) for flight in flights.split(",")]

    def work(testbed: Testbed, _most: float) -> Report:
        found: dict[str, list[dict[int, Spans]]] = {name: [] for name in contenders}
        for _ in range(given["rounds"]):
            for name, python in contenders.items():
                found[name].append(curve(testbed, python, name, points, given["size"]))
                print(name, file=sys.stderr, flush=True)
        return Report(name="throughput against latency", lines=lines(found, points), notes=missing)

    with bounded(120 + len(contenders) * given["rounds"] * len(points) * (20 + given["size"] / 10)):
        on_testbed(given["latency"], {}, tls=False, work=work).tell(file)


if __name__ == "__main__":
    main()
