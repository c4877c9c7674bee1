"""Read and replace single values of JSON: by path, as a status, as a time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def value_at(reply: Mapping[str, Any], path: str) -> object:
    """Return the value at a dotted path; None where there is none."""
    found: object = reply
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def with_value(data: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Copy an object with another value at a dotted path, which leads through objects."""
    name, _, rest = path.partition(".")
    return {**data, name: with_value(data[name], rest, value) if rest else value}


def status_text(value: object) -> str:
    """Return a status as text: true and false are VALID and INVALID; "" for what is none."""
    if isinstance(value, bool):
        return "VALID" if value else "INVALID"
    return str(value) if isinstance(value, str | int | float) else ""


def stated_status(reply: object, field: str | tuple[str, str]) -> str:
    """Return the status at a path, or those at two as "FIRST/SECOND"; "" where one is missing."""
    if not isinstance(reply, Mapping):
        return ""
    paths = field if isinstance(field, tuple) else (field,)
    words = [status_text(value_at(reply, path)) for path in paths]
    return "/".join(words) if all(words) else ""


def time_ms(text: object) -> int | None:
    """Parse the vendor's formats of a time, ISO 8601 and `YYYY-MM-DD HH:MM:SS`, to ms since 1970.

    A time without a zone is taken as UTC, not as India's, so that it is never taken as older than
    it is. None for anything else.
    """
    try:
        when = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
