"""Takes the vendor's webhooks: prove, store once, then say 2xx. Understanding them is the worker's.

The vendor repeats whatever it got no 2xx for, so a store that is down costs nothing but time.
"""

import logging
from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Response, abort, jsonify, request
from redis.exceptions import RedisError

from callbacks.letters import read_letter
from callbacks.problems import problem
from callbacks.verifiers import BadSignature, Verifier
from config.inbox import Inbox
from satyapan.broker import Waker
from satyapan.names import INGEST
from satyapan.points import STORED, reach

log: Final = logging.getLogger(__name__)


def webhooks(
    verifiers: Mapping[str, Verifier], inbox: Inbox, waker: Waker, most_bytes: int
) -> Blueprint:
    """Make the routes; `verifiers` go by the vendor's name, which is the last part of the path."""
    blueprint = Blueprint("webhooks", __name__)

    @blueprint.post("/webhooks/<vendor>")
    def receive(vendor: str) -> Response:
        if vendor not in verifiers:
            abort(404)
        if request.mimetype != "application/json":
            return problem(415, "send application/json")
        body = _body(most_bytes)
        try:
            verifiers[vendor].verify(body, request.headers.items())
        except BadSignature as bad:
            log.warning("webhook refused", extra={"vendor": vendor, "code": bad.code})
            return problem(401, "the signature does not prove the sender")
        return _keep(vendor, body)

    def _keep(vendor: str, body: bytes) -> Response:
        letter_id, event = read_letter(vendor, body)
        try:
            new = inbox.store(letter_id, vendor, event, body)
        except RedisError as error:
            log.warning("webhook not stored", extra={"code": type(error).__name__})
            return problem(503, "not stored: send it again")
        reach(STORED)
        # The first wake-up may have got lost; a second one changes nothing.
        waker.wake(INGEST, [letter_id])
        log.info("webhook stored" if new else "webhook seen before", extra={"vendor": vendor})
        return jsonify(status="stored")

    return blueprint


def _body(most_bytes: int) -> bytes:
    """Read the body; werkzeug cuts a chunked one at its limit, so its limit is one byte more."""
    request.max_content_length = most_bytes + 1
    body = request.get_data(cache=False)
    if len(body) > most_bytes:
        abort(413)
    return body
