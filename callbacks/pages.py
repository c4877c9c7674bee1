"""The pages a person sees: in their language, without script, with nothing private on them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Response, render_template, request
from markupsafe import Markup

from satyapan.records import State

LANGUAGES: Final = ("en", "hi")
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
_AGAIN: Final = frozenset({"confirming", "unavailable"})
"""Pages that offer to look again."""


class Pages:
    """Renders pages by name; names are the keys of `languages/*.json`."""

    def __init__(self) -> None:
        self._words: dict[str, dict[str, Any]] = {lang: _words(lang) for lang in LANGUAGES}
        self._style = _text("templates/return.css")

    @property
    def policy(self) -> str:
        """Give the Content-Security-Policy under which the pages work: their own style, no more."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )

    def show(self, page: str, status: int = 200) -> Response:
        """Render a page in the language that `?lang=` or else the browser asks for."""
        lang = self._language()
        words = self._words[lang]
        html = render_template(
            "return.html",
            lang=lang,
            words=words[page],
            again=words["again"] if page in _AGAIN else "",
            others={each: self._words[each]["name"] for each in LANGUAGES if each != lang},
            style=Markup(self._style),  # noqa: S704 - a file of ours
        )
        headers = {"Content-Language": lang, "Vary": "Accept-Language"}
        return Response(html, status, headers, content_type="text/html; charset=utf-8")

    def _language(self) -> str:
        asked = request.args.get("lang", "")
        if asked in LANGUAGES:
            return asked
        return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _words(lang: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads(_text(f"languages/{lang}.json"))
    return words


def _text(name: str) -> str:
    return files("callbacks").joinpath(name).read_text(encoding="utf-8")
