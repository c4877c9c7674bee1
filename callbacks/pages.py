"""The pages a person sees: in their language, complete without script, nothing private on them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Response, jsonify, render_template, request
from markupsafe import Markup, escape

from config.brand import Brand
from satyapan.records import Row, State

FIRST: Final = ("en", "hi")
"""The languages that are offered before all others; the first is for whoever asks for none."""
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
"""The page of each state; `page_at` replaces `confirming` with `slow` after `USUAL_MS`."""
OPEN: Final = frozenset({CONFIRMING, SLOW})
"""Pages that a script updates while they are open."""
USUAL_MS: Final = 60_000
"""The longest wait that `confirming` calls usual."""
_MINUTE_MS: Final = 60_000
_AGAIN: Final = OPEN | {"unavailable"}
"""Pages that offer to look again."""


def depends_on_time(row: Row) -> bool:
    """Return True if `page_at` needs the time for this row."""
    return PAGE_OF[row.state] == CONFIRMING and row.asked > 0


def page_at(row: Row, now_ms: int) -> tuple[str, int]:
    """Return the page of a row, and the whole minutes since a status read was first asked for.

    `now_ms` is on Redis' clock. The minutes are 0 for every page but `slow`.
    """
    waited_ms = now_ms - row.asked
    if depends_on_time(row) and waited_ms > USUAL_MS:
        return SLOW, waited_ms // _MINUTE_MS
    return PAGE_OF[row.state], 0


def languages() -> tuple[str, ...]:
    """List the languages: each file of words is one."""
    folder = files("callbacks").joinpath("languages")
    found = {name.removesuffix(".json") for name in (each.name for each in folder.iterdir())}
    return (*FIRST, *sorted(found - set(FIRST)))


class Pages:
    """Renders pages by name; names are the keys of `languages/*.json`."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._words: dict[str, dict[str, Any]] = {lang: _words(lang) for lang in languages()}
        self._style = _text("templates/return.css") + _colours(brand)
        self._script = _text("templates/return.js")

    @property
    def policy(self) -> str:
        """Return the Content-Security-Policy: the pages' own style, script and logo, no more."""
        images = "img-src data:; " if self._brand.logo else ""
        return (
            f"default-src 'none'; style-src '{_hash(self._style)}'; "
            f"script-src '{_hash(self._script)}'; {images}connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def show(self, page: str, status: int = 200, minutes: int = 0) -> Response:
        """Render a page in the language that `?lang=` or else the browser asks for."""
        lang = self._language()
        words = self._words[lang]
        html = render_template(
            "return.html",
            lang=lang,
            page=page,
            words=_filled(words[page], minutes),
            again=words["again"] if page in _AGAIN else "",
            live=words["live"] if page in OPEN else "",
            paused=words["paused"] if page in OPEN else "",
            brand=self._brand,
            back=_named(words["back"], self._brand.name) if self._brand.link else "",
            others={each: self._words[each]["name"] for each in self._words if each != lang},
            style=Markup(self._style),  # noqa: S704 - a file of ours
            script=Markup(self._script) if page in OPEN else "",  # noqa: S704 - a file of ours
        )
        return Response(html, status, _spoken(lang), content_type="text/html; charset=utf-8")

    def tell(self, page: str, minutes: int = 0) -> Response:
        """Return a page's words as JSON for its script; `settled`: the page changes no more."""
        lang = self._language()
        words = _filled(self._words[lang][page], minutes)
        answer = jsonify(page=page, settled=page not in OPEN, **words)
        answer.headers.update(_spoken(lang))
        return answer

    def _language(self) -> str:
        browsers = (tag for tag, quality in request.accept_languages if quality > 0)
        # A phone in Tamil may say "ta-IN" only, and another language after it.
        asked = (tag.partition("-")[0].lower() for tag in (request.args.get("lang", ""), *browsers))
        return next((lang for lang in asked if lang in self._words), FIRST[0])


def _filled(words: Mapping[str, str], minutes: int) -> dict[str, str]:
    return {name: text.format(minutes=minutes) for name, text in words.items()}


def _named(text: str, name: str) -> Markup:
    """Put a name into a text; its own direction of writing doesn't reach beyond it."""
    return escape(text).format(name=Markup("<bdi>{}</bdi>").format(name))


def _colours(brand: Brand) -> str:
    if not brand.colour:
        return ""
    light, dark = (f":root {{ --accent: {each}; }}" for each in (brand.colour, brand.dark_colour))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def _spoken(lang: str) -> dict[str, str]:
    return {"Content-Language": lang, "Vary": "Accept-Language"}


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256-{digest.decode()}"


def _words(lang: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads(_text(f"languages/{lang}.json"))
    return words


def _text(name: str) -> str:
    return files("callbacks").joinpath(name).read_text(encoding="utf-8")
