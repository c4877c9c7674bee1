"""The way of every call: authenticate, count, fail on demand, execute, answer, record."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from sandbox import checks, errors
from sandbox.auth import authenticate
from sandbox.errors import Refused
from sandbox.faults import Fault
from sandbox.magic import refuse_magic
from sandbox.records import Call
from sandbox.shaping import CutResponse, fault_reply, shape
from sandbox.vendor import Ask, Reply, Vendor

LARGEST_BODY = 1_000_000
CONSUMING = frozenset({422, 500, 502})


@dataclass(frozen=True)
class Route:
    """One operation of the vendor: its name here, its method and path, and what it does."""

    name: str
    method: str
    path: str
    operate: Callable[[Vendor, Ask], Reply]


class _Visit:
    """One call on its way through the desk."""

    def __init__(self, vendor: Vendor, route: Route, request: Request, document: str) -> None:
        self.vendor = vendor
        self.route = route
        self.request = request
        self.document = document
        self.call = vendor.records.call(vendor.clock.now(), route.name)
        self.headers: Mapping[str, str] = {}
        self.fault: Fault | None = None

    def admit(self) -> str:
        """Authenticate and count the call; return its account."""
        vendor = self.vendor
        account = authenticate(vendor.config, self.request.headers, vendor.clock.steady())
        self.call.account = account
        seat = vendor.quota.take(account, self.route.name)
        self.headers = seat.headers()
        if not seat.granted:
            raise Refused(errors.TOO_MANY)
        if vendor.state.stop is not None:
            raise Refused(vendor.state.stop)
        return account

    def perform(self, account: str) -> Reply:
        """Read the call, take its fault, and execute unless the fault forbids it."""
        fields = read_fields(self.request)
        _note_id(self.call, fields)
        self.fault = fault = self.vendor.faults.take(self.route.name)
        if fault is None:
            return self.execute(account, fields, intact=True)
        reply = self.execute(account, fields, intact=not fault.spoils) if fault.executes else None
        return fault_reply(self.route.name, fault, reply)

    def execute(self, account: str, fields: Mapping[str, Any], *, intact: bool) -> Reply:
        """Carry the operation out; ``intact`` tells whether its answer will reach the caller."""
        refuse_magic(self.route.name, fields)
        base = (self.vendor.config.public_base or self.request.host_url).rstrip("/")
        reply = self.route.operate(self.vendor, Ask(account, fields, base, self.document))
        if reply.execution is not None:
            reply.execution.answered = intact
        return reply

    def consume(self, status: int) -> None:
        """Use up the id of a failed attempt, where the sandbox is set up to do so."""
        call = self.call
        wanted = self.vendor.config.failed_consumes_id and status in CONSUMING
        if wanted and call.account and call.verification_id:
            with self.vendor.state.lock:
                self.vendor.state.use(call.route, call.account, call.verification_id)

    def wait(self) -> None:
        """Let the latency pass, after the execution."""
        latency = self.vendor.config.latency_ms + (self.fault.latency_ms if self.fault else 0)
        if latency:
            time.sleep(latency / 1000)


def serve(vendor: Vendor, route: Route, request: Request, document: str = "") -> Response:
    """Answer one call."""
    visit = _Visit(vendor, route, request, document)
    try:
        reply = visit.perform(visit.admit())
    except Refused as refused:
        reply = Reply.of(refused.error)
    visit.consume(reply.status)
    visit.wait()
    response = shape(reply, visit.headers, visit.fault)
    _close(visit.call, reply, response, visit.fault)
    return response


def _close(call: Call, reply: Reply, response: Response, fault: Fault | None) -> None:
    call.fault = fault.label if fault else None
    if not isinstance(response, CutResponse):
        call.status = response.status_code
        call.code = reply.body.get("code")


def read_fields(request: Request) -> Mapping[str, Any]:
    """Return the fields of a call: the JSON body of a POST, else the query."""
    if request.method != "POST":
        return request.args.to_dict()
    if (request.content_length or 0) > LARGEST_BODY:
        raise Refused(errors.BODY_TOO_LARGE)
    try:
        fields = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise Refused(errors.BODY_UNREADABLE) from None
    if not isinstance(fields, dict):
        raise Refused(errors.BODY_UNREADABLE)
    return fields


def _note_id(call: Call, fields: Mapping[str, Any]) -> None:
    """Keep the id of a call; anything that is not a legal id might be private data."""
    value = fields.get("verification_id", fields.get("verificationID"))
    call.verification_id = value if checks.is_legal_id(value) else None
