"""Where the vendor sends a person back to: a hint that something moved, and a page or a way on.

Nobody is authenticated here. The token in the path says which verification it is.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, request
from redis.exceptions import RedisError

from callbacks.metrics import Metrics
from callbacks.onward import onward_url
from callbacks.pages import Pages, depends_on_time, page_at
from callbacks.problems import problem
from callbacks.visits import Visits
from satyapan.errors import SatyapanError
from satyapan.records import Row

PEOPLE: Final = "returns.come_back"
"""The endpoint that people open; the others are for programs."""

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Doorstep:
    """Answers whoever comes back; they are sent on to `hosts` (lower case) only.

    `onward` names, for each kind that sends people on, the field of its request with the address.
    """

    visits: Visits
    pages: Pages
    hosts: Collection[str]
    onward: Mapping[str, str]
    metrics: Metrics

    def come_back(self, kind: str, token: str) -> Response:
        """Give the page of a verification, or the way on to its producer."""
        # Opening the request costs time, and it is private: only where it may hold an address.
        row = self.visits.row(kind, token, *(["request"] if kind in self.onward else []))
        if row is None:
            return self._show("unknown", status=404)
        self.visits.hint(request, row)
        return self._onward(row) or self._show(*self._page(row))

    def state(self, kind: str, token: str) -> Response:
        """Give the words of the page, for the script that follows it."""
        row = self.visits.row(kind, token)
        if row is None:
            return problem(404)
        self.visits.hint(request, row)
        return self.pages.tell(*self._page(row))

    def unavailable(self, error: Exception) -> Response:
        """Say that the ledger can't be read now."""
        log.warning("return page without a ledger", extra={"code": type(error).__name__})
        if request.endpoint != PEOPLE:
            return problem(503)
        return self._show("unavailable", status=503)

    def _page(self, row: Row) -> tuple[str, int]:
        return page_at(row, self.visits.now_ms() if depends_on_time(row) else 0)

    def _onward(self, row: Row) -> Response | None:
        given = row.request.get(self.onward.get(row.kind, ""))
        url = onward_url(str(given or ""), row.id, self.hosts)
        if url is None:
            return None
        self.metrics.returned("onward")
        return Response(status=303, headers={"Location": url})

    def _show(self, page: str, minutes: int = 0, *, status: int = 200) -> Response:
        self.metrics.returned(page)
        return self.pages.show(page, status, minutes)


def returns(doorstep: Doorstep) -> Blueprint:
    """Make the return route and the state that its page follows."""
    blueprint = Blueprint("returns", __name__)
    blueprint.get("/return/<kind>/<token>")(doorstep.come_back)
    blueprint.get("/return/<kind>/<token>/state")(doorstep.state)
    blueprint.register_error_handler(RedisError, doorstep.unavailable)
    blueprint.register_error_handler(SatyapanError, doorstep.unavailable)
    return blueprint
