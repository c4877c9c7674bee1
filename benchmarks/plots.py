"""Plots of files that benchmarks wrote with --json: throughput by latency, cost by rows.

    PYTHON -m benchmarks.plots FILE FILE ... --to DIR

PYTHON is an interpreter with matplotlib (benchmarks/requirements.txt); nothing else is needed.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Lines = Sequence[Mapping[str, Any]]
_STEPS = ("submit ms", "claim ms", "work ms", "sweep ms", "list ms")


def latency(axes: Any, lines: Lines) -> None:
    """Draw each contender's curve; points are labelled with the number in flight."""
    for name in dict.fromkeys(line["contender"] for line in lines):
        points = [line for line in lines if line["contender"] == name]
        rates = [point["verif/s"] for point in points]
        times = [point["p50 ms"] for point in points]
        axes.plot(rates, times, marker="o", label=name)
        for point, rate, time in zip(points, rates, times, strict=True):
            axes.annotate(str(point["in flight"]), (rate, time), fontsize=7)
    axes.set(xlabel="verifications/s", ylabel="p50 from submit to result, ms", yscale="log")


def stored(axes: Any, lines: Lines) -> None:
    """Draw the cost of each step by number of rows; crosses are the server with the backlog."""
    quiet, backlog = lines[:-1], lines[-1]
    for step in _STEPS:
        rows = [line["finished rows"] for line in quiet]
        (drawn,) = axes.plot(rows, [line[step] for line in quiet], marker="o", label=step)
        place = (backlog["finished rows"], backlog[step])
        axes.plot(*place, marker="x", markersize=9, color=drawn.get_color())
    crosses = f"crosses: beside {backlog['waiting']:,} that are due"
    axes.set(xlabel=f"finished rows; {crosses}", ylabel="median, ms", xscale="log", yscale="log")


DRAWN = {"throughput against latency": latency, "stored rows and a backlog": stored}
"""The reports that have a plot."""


def draw(report: Mapping[str, Any], folder: Path) -> Path:
    """Draw a report; return the file of the plot."""
    importlib.import_module("matplotlib").use("agg")  # no screen is needed
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(8, 5))
    DRAWN[report["name"]](axes, report["lines"])
    axes.set_title(f"{report['name']} ({report['machine']})", fontsize=9)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    place = folder / f"{report['name'].replace(' ', '-')}.png"
    figure.savefig(place, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return place


def main() -> None:
    """Draw the reports that have a plot."""
    options = argparse.ArgumentParser()
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--to", type=Path, required=True)
    given = options.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    for file in given.files:
        report = json.loads(file.read_text(encoding="utf-8"))
        if report["name"] in DRAWN and report["lines"]:
            try:
                print(draw(report, given.to))
            except ImportError as missing:
                sys.exit(f"no plots: {missing}; see benchmarks/requirements.txt")


if __name__ == "__main__":
    main()
