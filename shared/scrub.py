"""JSON from the vendor, made safe to keep: replies and webhooks.

Full Aadhaar numbers are never kept: `config.aadhaar` masks them.
"""

import json
import math
from typing import Any, Final

from config.aadhaar import mask, mask_number

KEPT: Final = frozenset({"verification_id", "reference_id"})
"""Fields that hold ids, which must stay unchanged."""
DEEPEST: Final = 100
"""Levels of nesting that are read; the vendor uses fewer than ten."""


def parse(body: bytes) -> object:
    """Read JSON; None for anything else. Numbers that JSON can't represent become null."""
    try:
        return json.loads(
            body, parse_constant=lambda _: None, parse_float=_finite, parse_int=_short
        )
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _short(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return None


def clean(body: bytes, kept: frozenset[str] = KEPT) -> dict[str, Any] | None:
    """Read a JSON object as a scrubbed copy; None for anything else, or if nested too deeply."""
    return scrub_object(parse(body), kept)


def scrub_object(value: object, kept: frozenset[str] = KEPT) -> dict[str, Any] | None:
    """Copy an object with Aadhaar numbers masked; None for anything else, or nested too deeply."""
    try:
        content = scrub(value, kept)
    except RecursionError:
        return None
    return content if isinstance(content, dict) else None


def scrub(value: object, kept: frozenset[str] = KEPT, room: int = DEEPEST) -> object:
    """Copy a JSON value with Aadhaar numbers masked.

    Half of a surrogate pair becomes a question mark, so that the copy can be written as UTF-8.

    Raises:
        RecursionError: the value is nested more than `room` levels deep.
    """
    if isinstance(value, dict | list) and not room:
        raise RecursionError(f"nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        return {
            mask(_writable(str(name))): _field(name, part, kept, room)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [scrub(part, kept, room - 1) for part in value]
    if isinstance(value, str):
        return mask(_writable(value))
    return mask_number(value) if isinstance(value, int | float) else value


def _field(name: str, part: object, kept: frozenset[str], room: int) -> object:
    """Return a kept field unchanged, unless it holds an object or a list instead of an id."""
    if name not in kept or isinstance(part, dict | list):
        return scrub(part, kept, room - 1)
    return _writable(part) if isinstance(part, str) else part


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
