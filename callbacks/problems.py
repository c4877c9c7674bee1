"""Errors for programs: RFC 9457 problem documents that repeat nothing of the request."""

import json
from http import HTTPStatus

from flask import Response


def problem(status: int, detail: str = "") -> Response:
    """Return an `application/problem+json` response; its title is the status' standard phrase."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        content["detail"] = detail
    response = Response(json.dumps(content), status, content_type="application/problem+json")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response
