"""Takes the vendor's webhooks: prove, scrub, store once, then say 2xx. The rest is the worker's.

The vendor repeats whatever it got no 2xx for, so a store that is down costs nothing but time.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, abort, jsonify, request
from redis.exceptions import RedisError

from callbacks.guard import Guard
from callbacks.letters import Reading, read_webhook
from callbacks.metrics import Metrics
from callbacks.problems import problem
from callbacks.verifiers import BadSignature, Verifier
from satyapan.broker import Waker
from satyapan.names import INGEST
from satyapan.points import STORED, reach
from shared.inbox import Inbox, StoreOutcome

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reception:
    """Takes one webhook after the other. `verifiers` go by the vendor's name."""

    verifiers: Mapping[str, Verifier]
    guard: Guard
    inbox: Inbox
    waker: Waker
    metrics: Metrics
    most_bytes: int
    takes_probe: bool
    """Whether an unsigned webhook is answered 200 (and thrown away)."""

    def take(self, vendor: str) -> Response:
        """Check the current request, cheapest check first, and store it if it is proven."""
        refusal = self._stopped(vendor)
        if refusal is not None:
            return refusal
        body = _body(self.most_bytes)
        if body is None:
            return self._refuse(vendor, "too_large", problem(413))
        try:
            signed_ms = self.verifiers[vendor].verify(body, request.headers.items())
        except BadSignature as bad:
            return self._unproven(vendor, bad.code)
        return self._keep(vendor, body, signed_ms)

    def _stopped(self, vendor: str) -> Response | None:
        """Return the refusal that the address or the headers ask for, or None."""
        if not self.guard.allows(request.remote_addr):
            return self._refuse(vendor, "address", problem(403))
        wait_s = self.guard.wait_s(request.remote_addr)
        if wait_s:
            self.metrics.webhook(vendor, "limited")
            answer = problem(429)
            answer.headers["Retry-After"] = str(math.ceil(wait_s))
            return answer
        if request.mimetype != "application/json":
            return self._refuse(vendor, "content_type", problem(415, "send application/json"))
        return None

    def _unproven(self, vendor: str, code: str) -> Response:
        if code == "signature_missing" and self.takes_probe:
            self.metrics.webhook(vendor, "probe")
            log.info("unsigned probe answered", extra={"vendor": vendor})
            return jsonify(status="probe")
        self.guard.refused(request.remote_addr)
        return self._refuse(vendor, code, problem(401, "the signature does not prove the sender"))

    def _refuse(self, vendor: str, code: str, answer: Response) -> Response:
        self.metrics.webhook(vendor, code)
        log.warning("webhook refused", extra={"vendor": vendor, "code": code})
        return answer

    def _keep(self, vendor: str, body: bytes, signed_ms: int | None) -> Response:
        webhook = read_webhook(body)
        if self._outdated(webhook.told_ms) or self._outdated(signed_ms):
            # The inbox no longer knows whether it was stored or forgotten: it would count as new.
            return self._passed(vendor, "outdated")
        webhook_id = self.inbox.webhook_id(vendor, webhook.signed)
        begun = time.monotonic()
        try:
            kept = self._store(webhook_id, vendor, webhook)
        except RedisError as error:
            self.metrics.webhook(vendor, "not_stored")
            log.warning("webhook not stored", extra={"code": type(error).__name__})
            return problem(503, "not stored: send it again")
        self.metrics.stored(time.monotonic() - begun)
        if kept is StoreOutcome.FORGOTTEN:
            return self._passed(vendor, kept)
        reach(STORED)
        # The first wake-up may have got lost; a second one changes nothing.
        self.waker.wake(INGEST, [webhook_id])
        self.metrics.webhook(vendor, kept)
        text = "webhook stored" if kept is StoreOutcome.STORED else "webhook seen before"
        log.info(text, extra={"vendor": vendor})
        return jsonify(status="stored")

    def _store(self, webhook_id: str, vendor: str, webhook: Reading) -> StoreOutcome:
        return self.inbox.store(webhook_id, vendor, webhook.event, webhook.body, webhook.vendor_id)

    def _outdated(self, then_ms: int | None) -> bool:
        """Return True if the inbox keeps nothing from that time any more."""
        return then_ms is not None and then_ms < time.time() * 1000 - self.inbox.life_ms

    def _passed(self, vendor: str, code: str) -> Response:
        """Answer 2xx, so that the vendor doesn't send it again, and store nothing."""
        self.metrics.webhook(vendor, code)
        log.info("webhook not kept", extra={"vendor": vendor, "code": code})
        return jsonify(status=code)


def webhooks(reception: Reception) -> Blueprint:
    """Make the route; the vendor's name is the last part of its path."""
    blueprint = Blueprint("webhooks", __name__)

    @blueprint.post("/webhooks/<vendor>")
    def receive(vendor: str) -> Response:
        if vendor not in reception.verifiers:
            abort(404)
        return reception.take(vendor)

    return blueprint


def _body(most_bytes: int) -> bytes | None:
    """Read the body; None when it is too large.

    Werkzeug cuts a chunked body at its limit without a word, so its limit is one byte more.
    """
    request.max_content_length = most_bytes + 1
    length = request.content_length or 0
    body = b"" if length > most_bytes else request.get_data(cache=False)
    return None if max(length, len(body)) > most_bytes else body
