"""Where the vendor sends a person back to: a hint that something moved, and a page or a way on.

Nobody is authenticated here. The token in the path says which verification it is; the vendor's
own `verification_id` parameter can be missing, repeated or forged and is never read.
"""

import logging
from collections.abc import Collection
from typing import Final

from flask import Blueprint, Response, request
from redis.exceptions import RedisError

from callbacks.looks import Looks
from callbacks.onward import onward_url
from callbacks.pages import PAGE_OF, Pages
from config.tokens import ReturnTokens
from satyapan.errors import SatyapanError
from satyapan.ledger import Ledger
from satyapan.records import TERMINAL, Row

log: Final = logging.getLogger(__name__)


def returns(
    tokens: ReturnTokens, ledger: Ledger, looks: Looks, pages: Pages, hosts: Collection[str]
) -> Blueprint:
    """Make the return route; a person may be sent on to `hosts` only."""
    blueprint = Blueprint("returns", __name__)
    allowed = frozenset(host.lower() for host in hosts)

    @blueprint.get("/return/<kind>/<token>")
    def come_back(kind: str, token: str) -> Response:
        verification_id = tokens.read(kind, token)
        row = ledger.read(verification_id) if verification_id else None
        if row is None:
            # Forged, expired and unknown look the same, so nothing can be found out by trying.
            return pages.show("unknown", 404)
        # Flask gives GET routes HEAD too; link scanners send it.
        if request.method == "GET" and row.state not in TERMINAL:
            looks.ask(row.id)
        return _onward(row) or pages.show(PAGE_OF[row.state])

    def _onward(row: Row) -> Response | None:
        url = onward_url(str(row.request.get("return_url") or ""), row.id, allowed)
        return Response(status=303, headers={"Location": url}) if url else None

    @blueprint.errorhandler(RedisError)
    @blueprint.errorhandler(SatyapanError)
    def unavailable(error: Exception) -> Response:
        log.warning("return page without a ledger", extra={"code": type(error).__name__})
        return pages.show("unavailable", 503)

    return blueprint
