"""The pages a person sees: in their language, complete without script, nothing private on them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Response, jsonify, render_template, request
from markupsafe import Markup

from satyapan.records import State

FIRST: Final = ("en", "hi")
"""The languages that are offered before all others; the first is for whoever asks for none."""
PAGE_OF: Final[Mapping[State, str]] = {
    State.ACCEPTED: "confirming",
    State.CLAIMED: "confirming",
    State.SENT: "confirming",
    State.PENDING: "confirming",
    State.UNKNOWN: "confirming",
    State.DONE: "received",
    State.DENIED: "declined",
    State.EXPIRED: "expired",
    State.REFUSED: "later",
    State.FAILED: "later",
    State.LOST: "later",
    State.PARKED: "later",
}
"""What a person is told in each state."""
OPEN: Final = "confirming"
"""The one page that changes by itself, with script, while somebody looks at it."""
_AGAIN: Final = frozenset({OPEN, "unavailable"})
"""Pages that offer to look again."""


def languages() -> tuple[str, ...]:
    """List the languages: each file of words is one."""
    folder = files("callbacks").joinpath("languages")
    found = {name.removesuffix(".json") for name in (each.name for each in folder.iterdir())}
    return (*FIRST, *sorted(found - set(FIRST)))


class Pages:
    """Renders pages by name; names are the keys of `languages/*.json`."""

    def __init__(self) -> None:
        self._words: dict[str, dict[str, Any]] = {lang: _words(lang) for lang in languages()}
        self._style = _text("templates/return.css")
        self._script = _text("templates/return.js")

    @property
    def policy(self) -> str:
        """Give the Content-Security-Policy of the pages: their own style and script, no more."""
        return (
            f"default-src 'none'; style-src '{_hash(self._style)}'; "
            f"script-src '{_hash(self._script)}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def show(self, page: str, status: int = 200) -> Response:
        """Render a page in the language that `?lang=` or else the browser asks for."""
        lang = self._language()
        words = self._words[lang]
        html = render_template(
            "return.html",
            lang=lang,
            page=page,
            words=words[page],
            again=words["again"] if page in _AGAIN else "",
            live=words["live"] if page == OPEN else "",
            others={each: self._words[each]["name"] for each in self._words if each != lang},
            style=Markup(self._style),  # noqa: S704 - a file of ours
            script=Markup(self._script) if page == OPEN else "",  # noqa: S704 - a file of ours
        )
        return Response(html, status, _spoken(lang), content_type="text/html; charset=utf-8")

    def tell(self, page: str) -> Response:
        """Give a page's words to the script that follows it; `settled`: it changes no more."""
        lang = self._language()
        words = self._words[lang][page]
        answer = jsonify(page=page, settled=page != OPEN, title=words["title"], text=words["text"])
        answer.headers.update(_spoken(lang))
        return answer

    def _language(self) -> str:
        asked = request.args.get("lang", "")
        if asked in self._words:
            return asked
        return request.accept_languages.best_match(self._words) or FIRST[0]


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
