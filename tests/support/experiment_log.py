"""The results of the fault suite: one JSON line for each experiment, and a table of them.

The short form has a log for each test run, shared by its processes. The long form keeps its log,
and continues where it was interrupted.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.project import ROOT

VARIABLE: Final = "SATYAPAN_FAULTS"
RUN: Final = "SATYAPAN_FAULTS_RUN"
FOLDER: Final = ROOT / ".satyapan" / "faults"
_COLUMNS: Final = ("accepted", "done", "parked", "lost", "run_twice", "paid_twice", "steps")


@dataclass(frozen=True)
class Scale:
    """The number of experiments.

    `runs`: kills at each point and kind; `others`: runs of each other action there; jobs, kills and
    restarts per storm; steps of the model in total.
    """

    long: bool
    runs: int
    others: int
    jobs: int
    kills: int
    restarts: int
    ambiguous: int
    storms: int
    steps: int


SHORT: Final = Scale(
    long=False,
    runs=3,
    others=0,
    jobs=3_000,
    kills=30,
    restarts=3,
    ambiguous=1_000,
    storms=1,
    steps=20_000,
)
LONG: Final = Scale(
    long=True,
    runs=50,
    others=10,
    jobs=5_000,
    kills=50,
    restarts=3,
    ambiguous=10_000,
    storms=10,
    steps=1_000_000,
)


def scale(env: Mapping[str, str] = os.environ) -> Scale:
    """Return the scale of this run: long if the environment says so."""
    return LONG if env.get(VARIABLE) == "long" else SHORT


class ExperimentLog:
    """The log of one form of the suite; several processes may write to it."""

    def __init__(self, form: Scale, folder: Path = FOLDER) -> None:
        name = "long" if form.long else f"short-{os.environ.get(RUN, os.getpid())}"
        self.path = folder / f"{name}.jsonl"

    def delete(self) -> None:
        """Delete the log."""
        self.path.unlink(missing_ok=True)

    def record(self, suite: str, key: str, *, good: bool, **figures: Any) -> None:
        """Append a result, and print it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {"suite": suite, "key": key, "good": good, **figures}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        shown = " ".join(f"{name}={value}" for name, value in figures.items())
        print(f"{'ok' if good else 'BROKEN'} {suite} {key}: {shown}", flush=True)

    def records(self) -> list[dict[str, Any]]:
        """Read all results; a line cut off by a kill is ignored."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def succeeded(self, suite: str, key: str) -> bool:
        """Return True if an experiment was done and was good."""
        return any(
            (note["suite"], note["key"], note["good"]) == (suite, key, True)
            for note in self.records()
        )

    def table(self) -> str:
        """Return a table with a line for each suite, by the latest results; "" without results."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for note in {(note["suite"], note["key"]): note for note in self.records()}.values():
            mine = sums[note["suite"]]
            mine["tries"] += 1
            mine["broken"] += not note["good"]
            for name in _COLUMNS:
                mine[name] += note.get(name, 0)
        if not sums:
            return ""
        columns = ("tries", *_COLUMNS, "broken")
        head = f"{'faults':28}" + "".join(f"{name:>11}" for name in columns)
        lines = [
            f"{suite:28}" + "".join(f"{row[name]:>11,}" for name in columns)
            for suite, row in sums.items()
        ]
        return "\n".join([head, *lines])
