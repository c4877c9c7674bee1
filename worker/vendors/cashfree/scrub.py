"""Full Aadhaar numbers are never kept: whatever looks like one in a reply is masked.

A number counts when it has twelve digits, alone or in groups of four, and its check digit is right.
One in ten other numbers of that length passes too and is masked with them.
"""

import re
from typing import Final

from stdnum.in_ import aadhaar

KEPT: Final = frozenset({"verification_id", "reference_id"})
"""Fields that hold ids, which must come through unchanged."""
_LONGEST: Final = 1000
"""Longer texts are pictures and files in base64."""
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z])[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Za-z])"
)


def scrub(value: object, kept: frozenset[str] = KEPT) -> object:
    """Copy a JSON value with Aadhaar numbers masked, down to their last four digits.

    Half of a surrogate pair becomes a question mark, so that the copy can be written as UTF-8.
    """
    if isinstance(value, dict):
        return {_masked(str(name)): _field(name, part, kept) for name, part in value.items()}
    if isinstance(value, list):
        return [scrub(part, kept) for part in value]
    if isinstance(value, str):
        return _masked(value)
    return _number(value)


def _field(name: str, part: object, kept: frozenset[str]) -> object:
    """Let a kept field through, unless something else than an id hides under its name."""
    if name not in kept or isinstance(part, dict | list):
        return scrub(part, kept)
    return _writable(part) if isinstance(part, str) else part


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _masked(text: str) -> str:
    text = _writable(text)
    return text if len(text) > _LONGEST else _NUMBER.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    found = match.group()
    return aadhaar.mask(found) if aadhaar.is_valid(found) else found


def _number(value: object) -> object:
    """Mask a bare JSON number too."""
    if isinstance(value, int) and 10**11 <= value < 10**12 and aadhaar.is_valid(str(value)):
        return aadhaar.mask(str(value))
    return value
