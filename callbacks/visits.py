"""Whose return an address is: a good token opens one row, everything else opens nothing, alike."""

from typing import Final

from flask import Request

from callbacks.looks import Looks
from satyapan.ledger import Ledger
from satyapan.records import TERMINAL, Row
from shared.return_tokens import ReturnTokens

_NOBODY: Final = " "
"""An id that nothing can have: a space is none of the signs of a verification_id."""
_SHOWN: Final = ("state", "asked")
"""The fields that decide which page is shown."""
_EARLY: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_WORDS: Final = ("prefetch", "preview")


class Visits:
    """Reads the row behind a return address, and lets a visit ask for a look.

    The vendor's own parameter is never read, and cut off where it stuck to the token.
    """

    def __init__(self, tokens: ReturnTokens, ledger: Ledger, looks: Looks) -> None:
        self._tokens = tokens
        self._ledger = ledger
        self._looks = looks

    def row(self, kind: str, token: str, *more: str) -> Row | None:
        """Return the row of a good token; None for a forged, expired or unknown one.

        Only what a page shows is read, and the fields named by `more`. Whatever the token is, the
        ledger is read once: neither the answer's time nor a ledger that is down tells one from the
        other.

        Raises:
            Unavailable, Unreadable: the person should come again later.
        """
        own = token.partition("&")[0].partition("?")[0]
        return self._ledger.read_fields(self._tokens.read(kind, own) or _NOBODY, *_SHOWN, *more)

    def now_ms(self) -> int:
        """Return the time on Redis' clock, on which rows are dated, in milliseconds.

        Raises:
            Unavailable: the person should come again later.
        """
        return self._ledger.now()

    def hint(self, request: Request, row: Row) -> None:
        """Ask for a look because somebody came: a person, not a scanner or a prefetch."""
        # Flask gives GET routes HEAD too; link scanners send it.
        if request.method == "GET" and not _ahead_of_time(request) and row.state not in TERMINAL:
            self._looks.ask(row.id)


def _ahead_of_time(request: Request) -> bool:
    """Tell whether a browser fetches the page before anybody has asked for it."""
    said = [request.headers.get(name, "").lower() for name in _EARLY]
    return any(word in text for text in said for word in _WORDS)
