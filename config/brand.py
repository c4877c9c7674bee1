"""Read and check the brand that the return page shows: name, logo, colour and the way back.

Text in the brand's colour stands on the page and on its card, and text stands on the colour, so one
contrast decides. The dark scheme gets a lighter shade of the same colour.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unicodedata import category

from marshmallow import ValidationError

from satyapan.environment import PREFIX, SettingFault, SettingsError
from satyapan.settings import split_address

if TYPE_CHECKING:
    from config.outside import CallbacksSettings

LIGHT: Final = "#f4f5f7"
"""The darkest colour of the light scheme that text in the brand's colour stands on."""
DARK: Final = "#1b1e22"
"""The lightest colour of the dark scheme that such text stands on."""
READABLE: Final = 4.5
"""The contrast that WCAG 2.2 asks of text (1.4.3)."""
LONGEST: Final = 60
LARGEST: Final = 65_536
"""Bytes of a logo: it is part of every page."""

_LOGO: Final = f"{PREFIX}CALLBACKS_BRAND_LOGO"
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_NO_TEXT: Final = frozenset({"Cc", "Cs"})
"""Controls, and what Python makes of bytes in the environment that are no UTF-8."""
_SHADES: Final = 20
_DARKEST: Final = 0.04045
"""Below it sRGB is linear."""
_TYPES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)"), "image/svg+xml"),
)


@dataclass(frozen=True)
class Brand:
    """The brand on every page; empty where nothing is set."""

    name: str = ""
    link: str = ""
    logo: str = ""
    """A `data:` URL: a page asks for nothing else, and no browser runs script in an image."""
    colour: str = ""
    dark_colour: str = ""
    """The shade for the dark scheme."""


def read_brand(settings: "CallbacksSettings") -> Brand:
    """Read the brand's settings, and the file with its logo.

    Raises:
        SettingsError: the logo can't be used.
    """
    colour = settings.brand_colour
    return Brand(
        name=settings.brand_name,
        link=settings.brand_link,
        logo=_data_url(Path(settings.brand_logo)) if settings.brand_logo else "",
        colour=colour,
        dark_colour=lightened(colour) if colour else "",
    )


def short_name(text: str) -> None:
    """Refuse names that no heading can hold, or that can't be written as UTF-8."""
    if len(text) > LONGEST or any(category(sign) in _NO_TEXT for sign in text):
        raise ValidationError(f"should be one line of at most {LONGEST} characters.")


def way_back(text: str) -> None:
    """Refuse what isn't an https address, or hides where it leads."""
    parts = split_address(text)
    hidden = "@" in parts.netloc or " " in text or not text.isprintable()
    if parts.scheme != "https" or not parts.hostname or hidden:
        raise ValidationError("should be an https:// address without a user.")


def readable_colour(text: str) -> None:
    """Refuse colours in which text would be hard to read on the page."""
    if not _COLOUR.fullmatch(text):
        raise ValidationError("should be #rrggbb.")
    ratio = contrast(text, LIGHT)
    if ratio < READABLE:
        raise ValidationError(
            f"has a contrast of {ratio:.2f} to the page ({LIGHT}), which is hard to read: choose a "
            f"darker shade, of at least {READABLE}."
        )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#rrggbb`) by WCAG: 1 (the same) to 21."""
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
    return part / 12.92 if part <= _DARKEST else float(((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])


def _data_url(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _unusable(f"can't be read ({type(error).__name__}).") from error
    if len(content) > LARGEST:
        raise _unusable(f"is larger than {LARGEST:,} bytes, and it is part of every page.")
    kind = next((name for start, name in _TYPES if start.match(content)), None)
    if kind is None:
        raise _unusable("is neither PNG, JPEG, WebP nor SVG by its first bytes.")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _unusable(why: str) -> SettingsError:
    return SettingsError([SettingFault(_LOGO, f"the file that it names {why}")])
