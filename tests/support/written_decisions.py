"""Write decisions as lines of a table, and compare the table with the recorded one."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from satyapan.records import Row
from tests.support.decision_builders import KINDS, NOW
from worker.rules.calls import admitted
from worker.rules.decide import decide
from worker.rules.model import Call, Event, Policy
from worker.rules.person import ActionRefused


def outcome_of(before: Row, event: Event, policy: Policy) -> str:
    """Write one decision: the changed fields and the effects. Calls count as admitted."""
    try:
        after, effects = decide(before, event, NOW, KINDS[before.kind], policy, jitter=0.5)
    except ActionRefused as refused:
        return f"refused: {refused}"
    for call in (each for each in effects if isinstance(each, Call)):
        after = admitted(after, call, NOW)
    return f"{written(before, after)} | {', '.join(map(str, effects)) or 'no effects'}"


def written(before: Row, after: Row) -> str:
    """Write the changed fields."""
    names = [field.name for field in fields(Row)]
    changed = [n for n in names if getattr(before, n) != getattr(after, n)]
    changes = ", ".join(f"{name}={short(name, getattr(after, name))}" for name in changed)
    return changes or "nothing"


def short(name: str, value: Any) -> str:
    """Write a value; times are relative to now."""
    if name in {"due", "deadline", "checked", "found_open"} and value:
        return f"now{value - NOW:+d}"
    if isinstance(value, tuple):
        return str([str(part).replace(str(NOW), "now") for part in value])
    return str(value)


def recorded(path: Path, table: str) -> str:
    """Return the recorded table; SATYAPAN_REWRITE_TABLE records this one first."""
    if os.environ.get("SATYAPAN_REWRITE_TABLE"):
        path.write_text(table, encoding="utf-8")
    return path.read_text(encoding="utf-8")
