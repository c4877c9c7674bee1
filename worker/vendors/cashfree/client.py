"""The client: build a call from an operation's data, send it once, classify the answer."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from satyapan.kinds.model import Operation, Recovery, Role
from shared.scrub import parse
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Cut, NotSent, Raw, Wire

_ITEM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Cashfree:
    """One merchant account at the vendor; implements `worker.engine.vendor.VendorClient`."""

    def __init__(
        self,
        wire: Wire,
        credentials: Credentials,
        base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._credentials = credentials
        self._base = base_url.rstrip("/")
        self._clock = clock

    def call(
        self,
        operation: Operation,
        role: Role,
        vendor_id: str,
        request: Mapping[str, Any],
        redirect_url: str = "",
        item: str = "",
        reference: str = "",
    ) -> Answer:
        """Make one call; see `VendorClient.call`."""
        route = operation.route(role)
        if "{item}" in route.path and not _ITEM.fullmatch(item):
            # The name came in a reply; dots or slashes in it would lead to another route.
            return Answer(outcome=Outcome.REFUSED, code="item_value_invalid", refused_field="item")
        known = {**request, "reference_id": reference}
        if operation.id_field:
            known[operation.id_field] = vendor_id
        asked = Asked(operation, role, known, item)
        try:
            return self._send(asked, vendor_id, _body(operation, vendor_id, request, redirect_url))
        except NotSent as failure:
            return Answer(outcome=Outcome.NOT_SENT, code=failure.code)
        except Cut as failure:
            return Answer(outcome=Outcome.UNKNOWN, code=failure.code)

    def _send(self, asked: Asked, vendor_id: str, body: Mapping[str, Any]) -> Answer:
        operation, route = asked.operation, asked.operation.route(asked.role)

        def judge(raw: Raw) -> tuple[Answer, bool]:
            answer = classify(asked, raw, parse(raw.body), self._clock())
            return answer, answer.outcome is not Outcome.UNKNOWN

        url = self._base + route.path.format(item=quote(asked.item, safe=""))
        headers = {"Accept": "application/json", **self._credentials.headers()}
        if route.method == "GET":
            params = {operation.id_field: vendor_id} if operation.id_field else {}
            return self._wire.send("GET", url, headers, judge, params=params)
        headers["Content-Type"] = "application/json"
        sent = json.dumps(body).encode()
        # On a kept connection that has just ended a call is ambiguous; this one can't be repeated.
        fresh = asked.role is Role.CREATE and operation.recovery is Recovery.NONE
        return self._wire.send(route.method, url, headers, judge, body=sent, fresh=fresh)


def _body(
    operation: Operation, vendor_id: str, request: Mapping[str, Any], redirect_url: str
) -> dict[str, Any]:
    """Build what the vendor is sent: its own fields, our id, our return address."""
    body = {
        name: value
        for name, value in request.items()
        if name not in operation.own_fields and value is not None
    }
    if operation.id_field:
        body[operation.id_field] = vendor_id
    if operation.redirect_field and redirect_url:
        body[operation.redirect_field] = redirect_url
    return body
