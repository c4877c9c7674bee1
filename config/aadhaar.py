"""Mask Aadhaar numbers, down to their last four digits.

A number counts when it has twelve digits, alone or in groups of four, no digit beside it, and the
right check digit. One in ten other numbers of that form has the right check digit too and is masked
with them. In stored data a letter beside it, or base64 around it, makes it part of an id or a
picture, which must stay as it is. A log line may lose an id (one webhook id in 450), but must not
show a number, so there it is masked all the same.
"""

import re
from collections.abc import Callable
from typing import Final

from stdnum.in_ import aadhaar

_LONGEST: Final = 1000
"""Longer texts may be pictures and files in base64."""
_RUN: Final = 64
"""Characters of base64 in a row from which on a long text counts as a picture there."""
# The first digit comes before the lookbehind, so that the lookbehind runs in few places.
_NUMBER: Final = re.compile(
    r"[2-9](?<![0-9A-Za-z].)[0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Za-z])", re.DOTALL
)
_DIGITS: Final = re.compile(
    r"[2-9](?<![0-9].)[0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])", re.DOTALL
)
_BEFORE: Final = re.compile(r"[0-9A-Za-z+/]*\Z")
_AFTER: Final = re.compile(r"[0-9A-Za-z+/]*")


def mask(text: str) -> str:
    """Mask the Aadhaar numbers in a text to store; ids and pictures in base64 stay as they are."""
    return _masked(text, _NUMBER, lambda match: not _in_a_picture(match))


def mask_for_log(text: str) -> str:
    """Mask the Aadhaar numbers in a text to log, also those inside ids and base64."""
    return _masked(text, _DIGITS, lambda _match: True)


def _masked(text: str, form: re.Pattern[str], counts: Callable[[re.Match[str]], bool]) -> str:
    parts, copied, start = [], 0, 0
    while match := form.search(text, start):
        # If this is not a number, one may begin at a later character of the match.
        start = match.start() + 1
        if aadhaar.is_valid(match.group()) and counts(match):
            parts += [text[copied : match.start()], aadhaar.mask(match.group())]
            copied = start = match.end()
    return "".join([*parts, text[copied:]])


def mask_number(value: float) -> float | str:
    """Return a number, or its mask if it is an Aadhaar number; 2.0e11 is a whole number too."""
    whole = 10**11 <= abs(value) < 10**12 and value == int(value)
    digits = str(int(abs(value))) if whole else ""
    return aadhaar.mask(digits) if aadhaar.is_valid(digits) else value


def _in_a_picture(match: re.Match[str]) -> bool:
    """Return True if a number is inside base64, where `+` and `/` may be beside its digits."""
    text, (start, end) = match.string, match.span()
    if len(text) <= _LONGEST:
        return False
    before = _BEFORE.search(text[max(0, start - _RUN) : start])
    after = _AFTER.match(text, end, end + _RUN)
    return sum(len(run.group()) for run in (before, after) if run) >= _RUN - len(match.group())
