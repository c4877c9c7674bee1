"""The return route: request a status check, then show a page or redirect to the producer.

The person is not authenticated; the token in the path names the verification. The vendor's own
parameter is never read, and it is cut off if it was appended to the token.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlunsplit

from flask import Blueprint, Request, Response, request
from redis import Redis
from redis.exceptions import RedisError

from callbacks.operations.metrics import Metrics
from callbacks.problems import problem
from callbacks.returns.pages import Pages, depends_on_time, page_at
from satyapan.broker.wakeups import Waker
from satyapan.errors import SatyapanError
from satyapan.kinds import Registry
from satyapan.ledger.ledger import Ledger
from satyapan.names import STATUS_CHECK, Keys
from satyapan.records import TERMINAL, Row
from satyapan.return_urls import split_allowed
from shared.return_tokens import ReturnTokens

PAGE_ENDPOINT: Final = "returns.page"
"""The endpoint that people open; the others are for programs."""
STATUS_CHECK_INTERVAL_MS: Final = 2_000
"""Milliseconds between two status checks of one verification that browsers can request."""
_NO_ID: Final = " "
"""An id that no verification has, because ids contain no space."""
_PAGE_FIELDS: Final = ("state", "reason", "asked")
"""The row's fields that decide which page is shown."""
_PREFETCH_HEADERS: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PREFETCH_WORDS: Final = ("prefetch", "preview")

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReturnHandler:
    """Answers people who come back; redirects go to `return_hosts` (lower case) only."""

    tokens: ReturnTokens
    ledger: Ledger
    redis: Redis
    keys: Keys
    waker: Waker
    pages: Pages
    return_hosts: Collection[str]
    kinds: Registry
    metrics: Metrics

    def page(self, kind: str, token: str) -> Response:
        """Return the page of a verification, or the redirect to its producer."""
        # Opening the request costs time, and it is private: only where it may hold a URL.
        row = self._row(kind, token, *(["request"] if self._url_field(kind) else []))
        if row is None:
            return self._show("unknown", status=404)
        self._request_status_check(row)
        return self._redirect(row) or self._show(*self._page_of(row))

    def state(self, kind: str, token: str) -> Response:
        """Return the page's texts as JSON, for the script that updates it."""
        row = self._row(kind, token)
        if row is None:
            return problem(404)
        self._request_status_check(row)
        return self.pages.as_json(*self._page_of(row))

    def unavailable(self, error: Exception) -> Response:
        """Respond that the ledger can't be read now."""
        log.warning("return page without a ledger", extra={"code": type(error).__name__})
        if request.endpoint != PAGE_ENDPOINT:
            return problem(503)
        return self._show("unavailable", status=503)

    def _row(self, kind: str, token: str, *fields: str) -> Row | None:
        """Return the row of a valid token; None for a forged, expired or unknown one.

        Only the fields that a page needs are read, and the named ones. The ledger is read once for
        any token: neither the response time nor an outage of the ledger reveals a valid token.
        """
        own = token.partition("&")[0].partition("?")[0]
        verification_id = self.tokens.read(kind, own) or _NO_ID
        return self.ledger.read_fields(verification_id, *_PAGE_FIELDS, *fields)

    def _request_status_check(self, row: Row) -> None:
        """Request a status check from the workers, at most one per interval and verification.

        Only if a person opened the page: not for a link scanner or a prefetch.
        """
        # Flask adds HEAD to GET routes; link scanners send it.
        if request.method != "GET" or _is_prefetch(request) or row.state in TERMINAL:
            return
        mark = self.keys.status_check(row.id)
        first = bool(self.redis.set(mark, 1, nx=True, px=STATUS_CHECK_INTERVAL_MS))
        self.metrics.status_checks.labels("yes" if first else "no").inc()
        if first:
            self.waker.wake(STATUS_CHECK, [row.id])

    def _page_of(self, row: Row) -> tuple[str, int]:
        return page_at(row, self.ledger.now() if depends_on_time(row) else 0)

    def _redirect(self, row: Row) -> Response | None:
        """Return the redirect to the producer's return_url; None if it has none that is allowed."""
        given = row.request.get(self._url_field(row.kind))
        url = redirect_url(str(given or ""), row.id, self.return_hosts)
        if url is None:
            return None
        self.metrics.returns.labels("redirect").inc()
        return Response(status=303, headers={"Location": url})

    def _url_field(self, kind: str) -> str:
        """Return the request field with the producer's URL; "" if the kind has none."""
        known = self.kinds.get(kind)
        return known.return_url_field if known else ""

    def _show(self, page: str, minutes: int = 0, *, status: int = 200) -> Response:
        self.metrics.returns.labels(page).inc()
        return self.pages.show(page, status, minutes)


def redirect_url(return_url: str, verification_id: str, hosts: Collection[str]) -> str | None:
    """Return the producer's URL with our `verification_id` in its query; None if not allowed.

    See `satyapan.return_urls.split_allowed` for `hosts`.
    """
    parts = split_allowed(return_url, hosts)
    if parts is None:
        return None
    pairs = [pair for pair in parts.query.split("&") if pair]
    kept = [pair for pair in pairs if pair.partition("=")[0] != "verification_id"]
    query = "&".join([*kept, f"verification_id={verification_id}"])
    return urlunsplit(parts._replace(query=query))


def _is_prefetch(sent: Request) -> bool:
    """Return True if a browser fetches the page before a person has opened it."""
    purposes = [sent.headers.get(name, "").lower() for name in _PREFETCH_HEADERS]
    return any(word in purpose for purpose in purposes for word in _PREFETCH_WORDS)


def returns(handler: ReturnHandler) -> Blueprint:
    """Build the blueprint of the return route, and of the state that its page polls."""
    blueprint = Blueprint("returns", __name__, template_folder="templates")
    blueprint.get("/return/<kind>/<token>")(handler.page)
    blueprint.get("/return/<kind>/<token>/state")(handler.state)
    blueprint.register_error_handler(RedisError, handler.unavailable)
    blueprint.register_error_handler(SatyapanError, handler.unavailable)
    return blueprint
