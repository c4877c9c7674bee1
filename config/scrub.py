"""JSON from the vendor, made safe to keep: replies and webhooks alike.

Full Aadhaar numbers are never kept: whatever looks like one is masked. A number counts when it has
twelve digits, alone or in groups of four, and its check digit is right. One in ten other numbers of
that length passes too and is masked with them.
"""

import json
import math
import re
from typing import Any, Final

from stdnum.in_ import aadhaar

KEPT: Final = frozenset({"verification_id", "reference_id"})
"""Fields that hold ids, which must come through unchanged."""
DEEPEST: Final = 100
"""Levels of nesting that are read; the vendor uses fewer than ten."""
_LONGEST: Final = 1000
"""Longer texts may be pictures and files in base64."""
_RUN: Final = 64
"""Characters of base64 in a row from which on a long text is a picture there."""
# The first digit comes before the lookbehind, so that the lookbehind runs in few places.
_NUMBER: Final = re.compile(
    r"[2-9](?<![0-9A-Za-z].)[0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Za-z])", re.DOTALL
)
_BEFORE: Final = re.compile(r"[0-9A-Za-z+/]*\Z")
_BEHIND: Final = re.compile(r"[0-9A-Za-z+/]*")


def parse(body: bytes) -> object:
    """Read JSON; None for whatever isn't. Numbers that JSON can't write again become null."""
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
    """Read a JSON object as a scrubbed copy; None for whatever isn't one, or is nested too deep."""
    try:
        content = scrub(parse(body), kept)
    except RecursionError:
        return None
    return content if isinstance(content, dict) else None


def scrub(value: object, kept: frozenset[str] = KEPT, room: int = DEEPEST) -> object:
    """Copy a JSON value with Aadhaar numbers masked, down to their last four digits.

    Half of a surrogate pair becomes a question mark, so that the copy can be written as UTF-8.

    Raises:
        RecursionError: the value is nested more than `room` levels deep.
    """
    if isinstance(value, dict | list) and not room:
        raise RecursionError(f"nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        return {_masked(str(name)): _field(name, part, kept, room) for name, part in value.items()}
    if isinstance(value, list):
        return [scrub(part, kept, room - 1) for part in value]
    if isinstance(value, str):
        return _masked(value)
    return _number(value)


def _field(name: str, part: object, kept: frozenset[str], room: int) -> object:
    """Return a kept field unchanged, unless it holds an object or a list instead of an id."""
    if name not in kept or isinstance(part, dict | list):
        return scrub(part, kept, room - 1)
    return _writable(part) if isinstance(part, str) else part


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _masked(text: str) -> str:
    text = _writable(text)
    parts, shown, start = [], 0, 0
    while match := _NUMBER.search(text, start):
        # If it is none, go on from the next character: a number may begin inside the match.
        start = match.start() + 1
        if aadhaar.is_valid(match.group()) and not _in_a_picture(match):
            parts += [text[shown : match.start()], aadhaar.mask(match.group())]
            shown = start = match.end()
    return "".join([*parts, text[shown:]])


def _in_a_picture(match: re.Match[str]) -> bool:
    """Return True if a number stands in base64: there `+` and `/` may stand beside its digits."""
    text, (start, end) = match.string, match.span()
    if len(text) <= _LONGEST:
        return False
    before = _BEFORE.search(text[max(0, start - _RUN) : start])
    behind = _BEHIND.match(text, end, end + _RUN)
    return sum(len(run.group()) for run in (before, behind) if run) >= _RUN - len(match.group())


def _number(value: object) -> object:
    """Mask a bare JSON number too, also one that is written as 2.0e11."""
    whole = isinstance(value, int | float) and 10**11 <= value < 10**12 and value == int(value)
    digits = str(int(value)) if whole and isinstance(value, int | float) else ""
    return aadhaar.mask(digits) if aadhaar.is_valid(digits) else value
