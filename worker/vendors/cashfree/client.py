"""The client: build a call from an operation's data, send it once, classify the answer."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from satyapan.kinds.model import Operation, Role, Route
from shared.scrub import parse
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Cut, NotSent, Raw, Wire

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


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
        names = {"item": item, "reference": reference}
        for name in (name for name in names if f"{{{name}}}" in route.path):
            if not _NAME.fullmatch(names[name]):
                # It came in a reply; dots or slashes in it would lead to another route.
                code = f"{name}_value_invalid"
                return Answer(outcome=Outcome.REFUSED, code=code, refused_field=name)
        url = self._base + route.path.format(**names)
        known = {**request, "reference_id": reference}
        asked = Asked(operation, role, vendor_id, known, item)
        try:
            if route.method == "GET":
                return self._get(asked, url, _query(route, vendor_id, reference))
            return self._post(asked, url, _body(asked, request, redirect_url))
        except NotSent as failure:
            return Answer(outcome=Outcome.NOT_SENT, code=failure.code)
        except Cut as failure:
            return Answer(outcome=Outcome.UNKNOWN, code=failure.code)

    def _get(self, asked: Asked, url: str, params: Mapping[str, str]) -> Answer:
        return self._wire.send("GET", url, self._headers(), self._judge(asked), params=params)

    def _post(self, asked: Asked, url: str, body: Mapping[str, Any]) -> Answer:
        headers = {**self._headers(), "Content-Type": "application/json"}
        sent = json.dumps(body).encode()
        # On a kept connection that has just ended a call is ambiguous; this one can't be repeated.
        fresh = asked.role is Role.CREATE and not asked.operation.repeatable
        method = asked.operation.route(asked.role).method
        return self._wire.send(method, url, headers, self._judge(asked), body=sent, fresh=fresh)

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", **self._credentials.headers()}

    def _judge(self, asked: Asked) -> Callable[[Raw], tuple[Answer, bool]]:
        def judge(raw: Raw) -> tuple[Answer, bool]:
            answer = classify(asked, raw, parse(raw.body), self._clock())
            return answer, answer.outcome is not Outcome.UNKNOWN

        return judge


def _query(route: Route, vendor_id: str, reference: str) -> dict[str, str]:
    """Build the query of a read: our id, the vendor's reference, or neither."""
    named = {route.id_param: vendor_id, route.reference_param: reference}
    return {name: value for name, value in named.items() if name and value}


def _body(asked: Asked, request: Mapping[str, Any], redirect_url: str) -> dict[str, Any]:
    """Build what the vendor is sent: its own fields, our id, our return address."""
    operation = asked.operation
    body = {
        name: value
        for name, value in request.items()
        if name not in operation.own_fields and value is not None
    }
    id_param = operation.route(asked.role).id_param
    if id_param:
        body[id_param] = asked.vendor_id
    if operation.redirect_field and redirect_url:
        body[operation.redirect_field] = redirect_url
    return body
