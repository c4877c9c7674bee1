"""A scripted person with a browser: opens pages, sends forms, follows redirects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

import requests

_TIMEOUT_S: Final = 15
_MAX_REDIRECTS: Final = 5

Form = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Page:
    """A page: its address, title and HTTP status."""

    url: str
    title: str
    status: int

    @property
    def good(self) -> bool:
        """Return True unless it is an error page."""
        return self.status == HTTPStatus.OK


class Person:
    """Opens one page after the other."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # the pages are on this machine: use no proxy

    def open(self, url: str) -> Page:
        """Open an address and follow its redirects."""
        return self._arrive(self._session.get(url, timeout=_TIMEOUT_S, allow_redirects=False))

    def send(self, page: Page, form: Form) -> Page:
        """Send the form of a page and follow its redirects."""
        answer = self._session.post(
            page.url, data=dict(form), timeout=_TIMEOUT_S, allow_redirects=False
        )
        return self._arrive(answer)

    def _arrive(self, answer: requests.Response) -> Page:
        for _ in range(_MAX_REDIRECTS):
            if not answer.is_redirect:
                break
            target = urljoin(answer.url, answer.headers["Location"])
            answer = self._session.get(target, timeout=_TIMEOUT_S, allow_redirects=False)
        return Page(answer.url, title_of(answer.text), answer.status_code)


class _Title(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._inside = False

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self._inside = tag == "title"

    def handle_endtag(self, _tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text += data


def title_of(html: str) -> str:
    """Read the title of a page; "" when it has none."""
    parser = _Title()
    parser.feed(html)
    return parser.text.strip()
