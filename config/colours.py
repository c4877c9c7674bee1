"""Colours of the return page: contrast by WCAG, and the shade for the dark scheme.

Text has the brand's colour on the page and on its card, or is on that colour, so one contrast is
checked.
"""

import re
from typing import Final

LIGHT: Final = "#f4f5f7"
"""The darkest background of such text in the light scheme."""
DARK: Final = "#1b1e22"
"""The lightest background of such text in the dark scheme."""
READABLE: Final = 4.5
"""The least contrast of text, by WCAG 2.2 (1.4.3)."""
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_SHADES: Final = 20
_LINEAR_BELOW: Final = 0.04045
"""sRGB is linear up to this value."""


def is_colour(text: str) -> bool:
    """Return True for `#rrggbb`."""
    return bool(_COLOUR.fullmatch(text))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#rrggbb`) by WCAG, from 1 (the same) to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def lightened(colour: str) -> str:
    """Mix a colour with as little white as makes it readable in the dark scheme."""
    shades = (_with_white(colour, step / _SHADES) for step in range(_SHADES + 1))
    return next(shade for shade in shades if contrast(shade, DARK) >= READABLE)


def _with_white(colour: str, share: float) -> str:
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in _parts(colour))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= _LINEAR_BELOW else float(((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])
