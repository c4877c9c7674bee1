"""Turn an operation's answer into an HTTP response, changed by a fault if there is one."""

import json
import socket
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response

from sandbox.definitions.model import VendorOperation
from sandbox.errors import TYPES, VALIDATION
from sandbox.faults import InjectedFault
from sandbox.vendor import ApiReply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FOREIGN = {
    "verification_id": "somebody-elses-id",
    "user_id": "somebody_elses_id",
    "reference_id": 1,
    "ref_id": 1,
    "template_name": "Other",
}


class CutResponse(Response):
    """A response of which only a part is sent before the connection is closed."""

    def __init__(self, part: bytes) -> None:
        """Set the bytes that reach the client."""
        super().__init__()
        self._part = part

    def __call__(
        self, environ: "WSGIEnvironment", _start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Close the connection; the server treats the error as a client that disconnected."""
        connection = environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            connection.sendall(self._part)
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("cut on demand")


def fault_reply(
    operation: VendorOperation, fault: InjectedFault, reply: ApiReply | None
) -> ApiReply:
    """Return the fault's own answer, or the operation's."""
    if fault.status is not None:
        body = _error_body(operation, fault, fault.status)
        return ApiReply(fault.status, {**body, **_reference(operation, reply)})
    return reply or ApiReply(HTTPStatus.OK, {})


def _reference(operation: VendorOperation, reply: ApiReply | None) -> Mapping[str, Any]:
    """Return the ``error`` of an executed call, where the vendor's errors name its reference."""
    name, execution = operation.error_reference, reply.execution if reply else None
    return {"error": {name: execution.reference_id}} if name and execution else {}


def _error_body(operation: VendorOperation, fault: InjectedFault, status: int) -> Mapping[str, Any]:
    documented = operation.documented_error(status, fault.code)
    known = documented.body() if documented else {}
    return {
        "type": fault.type or known.get("type") or TYPES.get(status, VALIDATION),
        "code": fault.code or known.get("code") or "error",
        "message": fault.message or known.get("message") or "answer on demand",
    }


def to_response(
    reply: ApiReply, headers: Mapping[str, str], fault: InjectedFault | None
) -> Response:
    """Return the HTTP response, changed by the fault."""
    fault = fault or InjectedFault()
    if reply.body is None:
        return Response(status=reply.status, headers={**headers, **fault.headers})
    raw = _raw(dict(reply.body), fault)
    content_type = fault.wrong_content_type or "application/json"
    response = Response(raw, reply.status, {**headers, **fault.headers}, content_type=content_type)
    if fault.redirect is not None:
        response = Response(status=HTTPStatus.FOUND, headers={"Location": fault.redirect})
    where = fault.cut or reply.cut
    return cut(response, where) if where else response


def _raw(body: dict[str, Any], fault: InjectedFault) -> bytes:
    """Return the bytes of a body, changed by the fault."""
    if fault.foreign_id:
        names = FOREIGN if fault.foreign_id is True else (fault.foreign_id,)
        body |= {name: FOREIGN.get(name, "other") for name in names if name in body}
    if fault.oversized:
        body["padding"] = "x" * fault.oversized
    raw = json.dumps(body).encode()
    if fault.garbled:
        raw = raw[: len(raw) // 2]
    return b"" if fault.empty_body else raw


def cut(response: Response, where: str) -> CutResponse:
    """Return a response that ends at ``where``."""
    if where == "before_status":
        return CutResponse(b"")
    body = response.get_data()
    lines = [f"HTTP/1.1 {response.status}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    head = "\r\n".join(lines).encode("latin-1")
    if where == "in_headers":
        return CutResponse(head[: len(head) // 2])
    return CutResponse(head + b"\r\n\r\n" + body[: len(body) // 2])
