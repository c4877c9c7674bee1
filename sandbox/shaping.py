"""Turn an operation's answer into bytes, spoiled as a fault demands."""

import json
import socket
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response

from sandbox.errors import TYPES, VALIDATION
from sandbox.examples import find_example, first_with
from sandbox.faults import Fault
from sandbox.vendor import Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FOREIGN = {"verification_id": "somebody-elses-id", "reference_id": 1, "template_name": "Other"}


class CutResponse(Response):
    """Send a part of the answer straight to the socket, then close the connection."""

    def __init__(self, part: bytes) -> None:
        """Take the bytes that still reach the client."""
        super().__init__()
        self._part = part

    def __call__(
        self, environ: "WSGIEnvironment", _start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Cut the connection; the server takes the error for a client that went away."""
        connection = environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            connection.sendall(self._part)
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("cut on demand")


def fault_reply(route: str, fault: Fault, reply: Reply | None) -> Reply:
    """Return what is to be answered: the fault's own answer, or the operation's."""
    if fault.example is not None:
        example = find_example(fault.example)
        return Reply(example.status, example.body)
    if fault.status is not None:
        return Reply(fault.status, _error_body(route, fault, fault.status))
    return reply or Reply(HTTPStatus.OK, {})


def _error_body(route: str, fault: Fault, status: int) -> Mapping[str, Any]:
    documented = first_with(route, status, fault.code)
    known = documented.body if documented else {}
    return {
        "type": fault.type or known.get("type") or TYPES.get(status, VALIDATION),
        "code": fault.code or known.get("code") or "error",
        "message": fault.message or known.get("message") or "answer on demand",
    }


def shape(reply: Reply, headers: Mapping[str, str], fault: Fault | None) -> Response:
    """Return the answer as it goes to the wire."""
    fault = fault or Fault()
    body = dict(reply.body)
    if fault.foreign_id:
        names = FOREIGN if fault.foreign_id is True else (fault.foreign_id,)
        body |= {name: FOREIGN.get(name, "other") for name in names if name in body}
    if fault.oversized:
        body["padding"] = "x" * fault.oversized
    raw = json.dumps(body).encode()
    if fault.garbled:
        raw = raw[: len(raw) // 2]
    content_type = fault.wrong_content_type or "application/json"
    response = Response(raw, reply.status, {**headers, **fault.headers}, content_type=content_type)
    if fault.redirect is not None:
        response = Response(status=HTTPStatus.FOUND, headers={"Location": fault.redirect})
    return cut(response, fault.cut) if fault.cut else response


def cut(response: Response, where: str) -> CutResponse:
    """Return a response that breaks off at ``where``."""
    if where == "before_status":
        return CutResponse(b"")
    body = response.get_data()
    lines = [f"HTTP/1.1 {response.status}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    head = "\r\n".join(lines).encode("latin-1")
    if where == "in_headers":
        return CutResponse(head[: len(head) // 2])
    return CutResponse(head + b"\r\n\r\n" + body[: len(body) // 2])
