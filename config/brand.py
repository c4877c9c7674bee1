"""Read the brand that the return page shows: name, logo, colour and the way back."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.callback_settings import CallbacksSettings
from config.colours import lightened
from satyapan.settings.declaration import PREFIX, SettingFault, SettingsError

LARGEST: Final = 65_536
"""Most bytes of a logo: it is part of every page."""
_LOGO: Final = f"{PREFIX}CALLBACKS_BRAND_LOGO"
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
    """A `data:` URL: the page needs no second request, and browsers run no script in an image."""
    colour: str = ""
    dark_colour: str = ""
    """The shade for the dark scheme."""


def read_brand(settings: CallbacksSettings) -> Brand:
    """Read the brand's settings and the file with its logo.

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
