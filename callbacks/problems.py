"""Errors as programs read them: RFC 9457 problem documents, and nothing of the request in them."""

import json
from http import HTTPStatus

from flask import Response


def problem(status: int, detail: str = "") -> Response:
    """Make an `application/problem+json` answer; the title is the status' own name."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        content["detail"] = detail
    answer = Response(json.dumps(content), status, content_type="application/problem+json")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "5"
    return answer
