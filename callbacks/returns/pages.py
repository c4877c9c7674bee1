"""The pages that people see: in their language, complete without script, without private data."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Response, jsonify, render_template, request
from markupsafe import Markup, escape

from config.brand import Brand
from satyapan.kinds.consent import NOTHING_SHARED
from satyapan.records import Row, State

FIRST_LANGUAGES: Final = ("en", "hi")
"""The languages that are listed before all others; the first is the default."""
CONFIRMING: Final = "confirming"
"""The page of an open verification; its text says "usually less than a minute"."""
SLOW: Final = "slow"
"""The page of an open verification that takes longer than `USUAL_MS`."""
PAGE_OF: Final[Mapping[State, str]] = {
    State.ACCEPTED: CONFIRMING,
    State.CLAIMED: CONFIRMING,
    State.SENT: CONFIRMING,
    State.PENDING: CONFIRMING,
    State.UNKNOWN: CONFIRMING,
    State.DONE: "received",
    State.DENIED: "declined",
    State.EXPIRED: "expired",
    State.REFUSED: "later",
    State.FAILED: "later",
    State.LOST: "later",
    State.PARKED: "later",
}
"""The page of each state; `page_at` replaces `confirming` with `slow` after `USUAL_MS`, and
`received` with `nothing_shared`."""
UPDATED_PAGES: Final = frozenset({CONFIRMING, SLOW})
"""The pages that a script updates while they are open."""
USUAL_MS: Final = 60_000
"""The longest wait that `confirming` calls usual."""
_MINUTE_MS: Final = 60_000
_PAGES_WITH_RELOAD: Final = UPDATED_PAGES | {"unavailable"}
"""The pages with a "Check again" button."""


def depends_on_time(row: Row) -> bool:
    """Return True if `page_at` needs the time for this row."""
    return PAGE_OF[row.state] == CONFIRMING and row.asked > 0


def page_at(row: Row, now_ms: int) -> tuple[str, int]:
    """Return the page of a row, and the whole minutes since a status check was first requested.

    `now_ms` is on Redis' clock. The minutes are 0 for every page but `slow`.
    """
    waited_ms = now_ms - row.asked
    if depends_on_time(row) and waited_ms > USUAL_MS:
        return SLOW, waited_ms // _MINUTE_MS
    if row.state is State.DONE and row.reason == NOTHING_SHARED:
        return NOTHING_SHARED, 0
    return PAGE_OF[row.state], 0


def languages() -> tuple[str, ...]:
    """Return the languages: each file in `languages/` is one."""
    folder = files("callbacks.returns").joinpath("languages")
    found = {name.removesuffix(".json") for name in (each.name for each in folder.iterdir())}
    return (*FIRST_LANGUAGES, *sorted(found - set(FIRST_LANGUAGES)))


class Pages:
    """Renders pages by name; the names are the keys of `languages/*.json`."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._texts: dict[str, dict[str, Any]] = {
            lang: json.loads(_file(f"languages/{lang}.json")) for lang in languages()
        }
        self._style = _file("templates/return.css") + _colours(brand)
        self._script = _file("templates/return.js")

    @property
    def policy(self) -> str:
        """Return the Content-Security-Policy: only the pages' own style, script and logo."""
        images = "img-src data:; " if self._brand.logo else ""
        return (
            f"default-src 'none'; style-src '{_hash(self._style)}'; "
            f"script-src '{_hash(self._script)}'; {images}connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def show(self, page: str, status: int = 200, minutes: int = 0) -> Response:
        """Render a page in the language of `?lang=`, else in one that the browser accepts."""
        lang = self._language()
        texts = self._texts[lang]
        html = render_template(
            "return.html",
            lang=lang,
            page=page,
            texts=_with_minutes(texts[page], minutes),
            again=texts["again"] if page in _PAGES_WITH_RELOAD else "",
            live=texts["live"] if page in UPDATED_PAGES else "",
            paused=texts["paused"] if page in UPDATED_PAGES else "",
            brand=self._brand,
            back=_with_name(texts["back"], self._brand.name) if self._brand.link else "",
            others={each: self._texts[each]["name"] for each in self._texts if each != lang},
            style=Markup(self._style),  # noqa: S704 - a file of ours
            script=Markup(self._script if page in UPDATED_PAGES else ""),  # noqa: S704 - a file of ours
        )
        headers = _language_headers(lang)
        return Response(html, status, headers, content_type="text/html; charset=utf-8")

    def as_json(self, page: str, minutes: int = 0) -> Response:
        """Return a page's texts as JSON for its script; `settled`: the page is final."""
        lang = self._language()
        texts = _with_minutes(self._texts[lang][page], minutes)
        response = jsonify(page=page, settled=page not in UPDATED_PAGES, **texts)
        response.headers.update(_language_headers(lang))
        return response

    def _language(self) -> str:
        accepted = (tag for tag, quality in request.accept_languages if quality > 0)
        # A phone in Tamil may send "ta-IN" only, and another language after it.
        tags = (request.args.get("lang", ""), *accepted)
        wanted = (tag.partition("-")[0].lower() for tag in tags)
        return next((lang for lang in wanted if lang in self._texts), FIRST_LANGUAGES[0])


def _with_minutes(texts: Mapping[str, str], minutes: int) -> dict[str, str]:
    return {name: text.format(minutes=minutes) for name, text in texts.items()}


def _with_name(text: str, name: str) -> Markup:
    """Insert a name, isolated so that its writing direction doesn't change that of the text."""
    return escape(text).format(name=Markup("<bdi>{}</bdi>").format(name))


def _colours(brand: Brand) -> str:
    if not brand.colour:
        return ""
    light, dark = (f":root {{ --accent: {each}; }}" for each in (brand.colour, brand.dark_colour))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def _language_headers(lang: str) -> dict[str, str]:
    return {"Content-Language": lang, "Vary": "Accept-Language"}


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256-{digest.decode()}"


def _file(name: str) -> str:
    return files("callbacks.returns").joinpath(name).read_text(encoding="utf-8")
