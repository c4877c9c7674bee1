"""Find a field's values: ``pan``, ``user_consent.type``, or ``entries[].pan`` in each entry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EACH = "[]."
ABSENT: Any = object()
"""The value of a field that was not sent."""


@dataclass(frozen=True)
class FoundValue:
    """A value, and the number of its entry (from 1) if the field is one of entries."""

    value: Any
    sequence: int | None = None


def values_at(path: str, given: Mapping[str, Any]) -> Iterator[FoundValue]:
    """Yield the field's values: one, or one of each entry."""
    if EACH not in path:
        yield FoundValue(_at(path, given))
        return
    of, _, name = path.partition(EACH)
    entries = _at(of, given)
    if isinstance(entries, list):
        for sequence, entry in enumerate(entries, 1):
            yield FoundValue(_at(name, entry), sequence)


def last_name(path: str) -> str:
    """Return the last name of a path, by which errors and bodies call the field."""
    return path.rpartition(".")[2]


def _at(path: str, given: object) -> Any:  # noqa: ANN401 - JSON
    for name in path.split("."):
        if not isinstance(given, Mapping) or name not in given:
            return ABSENT
        given = given[name]
    return given
