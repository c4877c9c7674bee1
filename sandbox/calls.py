"""Handle each API call: authenticate, count, inject a fault, execute, respond, record."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Request, Response

from sandbox import errors, validation
from sandbox.auth import authenticate
from sandbox.definitions.model import VendorOperation
from sandbox.engine.execution import execute
from sandbox.errors import RefusedCall
from sandbox.faults import InjectedFault
from sandbox.magic import refuse_magic
from sandbox.records import CallRecord
from sandbox.responses import CutResponse, fault_reply, to_response
from sandbox.vendor import ApiReply, ApiRequest, EmulatedVendor

LARGEST_BODY = 1_000_000
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
CONSUMING = frozenset({422, 500, 502})


class _ApiCall:
    """One call while it is handled."""

    def __init__(
        self,
        vendor: EmulatedVendor,
        operation: VendorOperation,
        request: Request,
        of_path: Mapping[str, str],
    ) -> None:
        self.vendor = vendor
        self.operation = operation
        self.request = request
        self.of_path = of_path
        self.call = vendor.records.call(vendor.clock.now(), operation.name)
        self.headers: Mapping[str, str] = {}
        self.fault: InjectedFault | None = None

    def admit(self) -> str:
        """Authenticate and count the call; return its account."""
        vendor = self.vendor
        account = authenticate(vendor.config, self.request.headers, vendor.clock.steady())
        self.call.account = account
        decision = vendor.quota.take(account, self.operation.name)
        self.headers = decision.headers()
        if not decision.granted:
            raise RefusedCall(errors.TOO_MANY)
        if vendor.state.stop is not None:
            raise RefusedCall(vendor.state.stop)
        if self.operation.name in vendor.state.not_enabled:
            raise RefusedCall(vendor.state.not_enabled[self.operation.name])
        return account

    def perform(self, account: str) -> ApiReply:
        """Read the call's fields and its fault, and execute it unless the fault prevents that."""
        fields = {**read_fields(self.request), **self.of_path}
        _note_id(self.call, self.operation, fields)
        self.fault = fault = self.vendor.faults.take(self.operation.name)
        if fault is None:
            return self.execute(account, fields, intact=True)
        reply = (
            self.execute(account, fields, intact=not fault.spoils_answer)
            if fault.executes
            else None
        )
        return fault_reply(self.operation, fault, reply)

    def execute(self, account: str, fields: Mapping[str, Any], *, intact: bool) -> ApiReply:
        """Execute the operation; ``intact``: its own answer will reach the caller."""
        refuse_magic(self.operation, fields)
        base = (self.vendor.config.public_base or self.request.host_url).rstrip("/")
        reply = execute(self.vendor, self.operation, ApiRequest(account, fields, base))
        if reply.execution is not None:
            is_whole = reply.cut is None and reply.status == HTTPStatus.OK
            reply.execution.answered = intact and is_whole
        return reply

    def consume(self, status: int) -> None:
        """Mark the id of a failed call as used, if the sandbox is configured to do so."""
        call = self.call
        consumes = self.vendor.config.failed_consumes_id and status in CONSUMING
        if consumes and call.account and call.verification_id:
            with self.vendor.state.lock:
                self.vendor.state.use(call.route, call.account, call.verification_id)

    def wait(self) -> None:
        """Sleep for the configured latency; the execution comes before it."""
        latency = self.vendor.config.latency_ms + (self.fault.latency_ms if self.fault else 0)
        if latency:
            time.sleep(latency / 1000)


def serve(
    vendor: EmulatedVendor,
    operation: VendorOperation,
    request: Request,
    of_path: Mapping[str, str],
) -> Response:
    """Handle one call and return the response; ``of_path`` are the parameters in the path."""
    api_call = _ApiCall(vendor, operation, request, of_path)
    try:
        reply = api_call.perform(api_call.admit())
    except RefusedCall as refusal:
        reply = ApiReply.of(refusal.error)
    api_call.consume(reply.status)
    api_call.wait()
    response = to_response(reply, api_call.headers, api_call.fault)
    _complete_record(api_call.call, reply, response, api_call.fault)
    return response


def _complete_record(
    call: CallRecord, reply: ApiReply, response: Response, fault: InjectedFault | None
) -> None:
    call.fault = fault.label if fault else None
    if not isinstance(response, CutResponse):
        call.status = response.status_code
        call.code = (reply.body or {}).get("code")


def read_fields(request: Request) -> Mapping[str, Any]:
    """Return the fields of a call: the JSON body, or the query if the method has none."""
    if request.method not in WITH_BODY:
        return request.args.to_dict()
    if (request.content_length or 0) > LARGEST_BODY:
        raise RefusedCall(errors.BODY_TOO_LARGE)
    try:
        fields = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise RefusedCall(errors.BODY_UNREADABLE) from None
    if not isinstance(fields, dict):
        raise RefusedCall(errors.BODY_UNREADABLE)
    return fields


def _note_id(call: CallRecord, operation: VendorOperation, fields: Mapping[str, Any]) -> None:
    """Record the id of a call; a text that is not a legal id might be private data."""
    value = next((fields[name] for name in operation.id_names if name in fields), None)
    call.verification_id = value if validation.is_legal_id(value) else None
