"""The results of a benchmark: a table, and figures that have goals; as text or as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click

Line = Mapping[str, Any]
_LARGE: Final = 100

json_option: Final = click.option(
    "--json", "file", type=click.Path(path_type=Path), help="File for the results as JSON."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with a goal; `value` is None if it could not be measured here."""

    what: str
    value: float | None
    goal: float
    unit: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Return whether the goal is reached, in words."""
        if self.value is None:
            return "not measured"
        reached = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "reached" if reached else "not reached"

    def line(self) -> Line:
        """Return the table's line."""
        bound = "at least" if self.at_least else "at most"
        value = "" if self.value is None else f"{_cell(self.value)} {self.unit}".strip()
        goal = f"{bound} {_cell(self.goal)} {self.unit}".strip()
        return {"figure": self.what, "measured": value, "goal": goal, "": self.verdict}


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of one benchmark; `notes` name what was skipped and what limits the figures."""

    name: str
    lines: Sequence[Line]
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the report as text."""
        parts = [f"## {self.name}", table(self.lines), "\n".join(self.notes), machine()]
        if self.figures:
            parts.append(table([figure.line() for figure in self.figures]))
        return "\n\n".join(part for part in parts if part)

    def tell(self, file: Path | None) -> None:
        """Print the report, and write it to a file if one is given."""
        print(f"{self.text()}\n", flush=True)
        if file:
            content = asdict(self) | {"machine": machine()}
            file.write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Report":
        """Read a file that `tell` wrote."""
        content = json.loads(file.read_text(encoding="utf-8"))
        figures = [Figure(**figure) for figure in content["figures"]]
        return cls(
            name=content["name"], lines=content["lines"], figures=figures, notes=content["notes"]
        )


def table(lines: Sequence[Line]) -> str:
    """Return lines as a table. The cell of a column that a line lacks is empty."""
    if not lines:
        return ""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *(_row(line, columns) for line in lines)])


def machine() -> str:
    """Return the load of the machine: figures from a busy one are unreliable."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"load of the machine: {os.getloadavg()[0]:.1f} on {cores} cores"


def _row(line: Line, columns: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(line.get(name, '')) for name in columns)} |"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
