"""What a benchmark found: a table, and the figures that have goals. Told as text or as JSON."""

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
    "--json", "file", type=click.Path(path_type=Path), help="Write what was found here too."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure that has a goal; `value` is None when it could not be measured here."""

    what: str
    value: float | None
    goal: float
    unit: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Tell whether the goal is reached."""
        if self.value is None:
            return "not measured"
        reached = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "reached" if reached else "not reached"

    def line(self) -> Line:
        """Give the line of a table."""
        bound = "at least" if self.at_least else "at most"
        value = "" if self.value is None else f"{_cell(self.value)} {self.unit}".strip()
        goal = f"{bound} {_cell(self.goal)} {self.unit}".strip()
        return {"figure": self.what, "measured": value, "goal": goal, "": self.verdict}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found; `notes` say what was skipped, and what bounds the figures."""

    name: str
    lines: Sequence[Line]
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = field(default_factory=list)

    def text(self) -> str:
        """Write all of it."""
        parts = [f"## {self.name}", table(self.lines), "\n".join(self.notes), machine()]
        if self.figures:
            parts.append(table([figure.line() for figure in self.figures]))
        return "\n\n".join(part for part in parts if part)

    def tell(self, file: Path | None) -> None:
        """Print, and write the file if one is wanted."""
        print(f"{self.text()}\n", flush=True)
        if file:
            told = asdict(self) | {"machine": machine()}
            file.write_text(json.dumps(told, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Report":
        """Read what `tell` wrote."""
        told = json.loads(file.read_text(encoding="utf-8"))
        figures = [Figure(**figure) for figure in told["figures"]]
        return cls(name=told["name"], lines=told["lines"], figures=figures, notes=told["notes"])


def table(lines: Sequence[Line]) -> str:
    """Write lines that have the same columns as a table; what a line lacks stays empty."""
    if not lines:
        return ""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *(_row(line, columns) for line in lines)])


def machine() -> str:
    """Tell how busy the machine is: what was measured on a busy one is worth little."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"load of the machine: {os.getloadavg()[0]:.1f} on {cores} cores"


def _row(line: Line, columns: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(line.get(name, '')) for name in columns)} |"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
