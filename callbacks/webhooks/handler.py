"""The webhook route: verify, scrub, store once, then answer 2xx. Workers process what is stored.

The vendor repeats each webhook that got no 2xx, so while the store is down webhooks are only late.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, abort, jsonify, request
from redis.exceptions import RedisError

from callbacks.operations.metrics import Metrics
from callbacks.problems import problem
from callbacks.webhooks.incoming_webhook import IncomingWebhook, read_webhook
from callbacks.webhooks.sender_limits import SenderLimits
from callbacks.webhooks.verifiers import BadSignature, Verifier
from satyapan.broker.wakeups import Waker
from satyapan.failpoints import Failpoint, failpoint
from satyapan.kinds import Registry
from satyapan.names import INGEST
from shared.inbox.inbox import Inbox
from shared.inbox.stored_webhook import StoreOutcome

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookHandler:
    """Receives webhooks. `verifiers` has one verifier for each vendor's name."""

    verifiers: Mapping[str, Verifier]
    sender_limits: SenderLimits
    inbox: Inbox
    kinds: Registry
    waker: Waker
    metrics: Metrics
    max_bytes: int
    accept_unsigned_probe: bool
    """Whether an unsigned webhook is answered 200 (and dropped)."""

    def receive(self, vendor: str) -> Response:
        """Check the current request, cheapest check first, and store it if it is authentic."""
        if vendor not in self.verifiers:
            abort(404)
        refusal = self._refuse_unread(vendor)
        if refusal is not None:
            return refusal
        body = _body(self.max_bytes)
        if body is None:
            return self._refuse(vendor, "too_large", problem(413))
        try:
            signed_ms = self.verifiers[vendor].verify(body, request.headers.items())
        except BadSignature as bad:
            return self._not_authentic(vendor, bad.code)
        return self._accept(vendor, body, signed_ms)

    def _refuse_unread(self, vendor: str) -> Response | None:
        """Return the refusal if the address or the headers require one, before reading the body."""
        if not self.sender_limits.allows(request.remote_addr):
            return self._refuse(vendor, "address", problem(403))
        wait_s = self.sender_limits.wait_s(request.remote_addr)
        if wait_s:
            self.metrics.webhooks.labels(vendor, "limited").inc()
            response = problem(429)
            response.headers["Retry-After"] = str(math.ceil(wait_s))
            return response
        if request.mimetype != "application/json":
            return self._refuse(vendor, "content_type", problem(415, "send application/json"))
        return None

    def _not_authentic(self, vendor: str, code: str) -> Response:
        if code == "signature_missing" and self.accept_unsigned_probe:
            self.metrics.webhooks.labels(vendor, "probe").inc()
            log.info("unsigned probe answered", extra={"vendor": vendor})
            return jsonify(status="probe")
        self.sender_limits.count_refusal(request.remote_addr)
        return self._refuse(vendor, code, problem(401, "the signature does not prove the sender"))

    def _refuse(self, vendor: str, code: str, response: Response) -> Response:
        self.metrics.webhooks.labels(vendor, code).inc()
        log.warning("webhook refused", extra={"vendor": vendor, "code": code})
        return response

    def _accept(self, vendor: str, body: bytes, signed_ms: int | None) -> Response:
        webhook = read_webhook(body, vendor, self.kinds)
        if self._expired(webhook.event_ms) or self._expired(signed_ms):
            # The inbox can't know any more whether it was stored or forgotten.
            return self._drop(vendor, "outdated")
        webhook_id = self.inbox.webhook_id(vendor, webhook.signed)
        try:
            outcome = self._store(webhook_id, vendor, webhook)
        except RedisError as error:
            self.metrics.webhooks.labels(vendor, "not_stored").inc()
            log.warning("webhook not stored", extra={"code": type(error).__name__})
            return problem(503, "not stored: send it again")
        if outcome is StoreOutcome.FORGOTTEN:
            return self._drop(vendor, outcome)
        failpoint(Failpoint.STORED)
        # Also for a repeated one: the first wake-up may be lost; a second one changes nothing.
        self.waker.wake(INGEST, [webhook_id])
        self.metrics.webhooks.labels(vendor, outcome).inc()
        text = "webhook stored" if outcome is StoreOutcome.STORED else "webhook seen before"
        log.info(text, extra={"vendor": vendor})
        return jsonify(status="stored")

    def _store(self, webhook_id: str, vendor: str, webhook: IncomingWebhook) -> StoreOutcome:
        """Store a webhook and measure how long that takes."""
        begun = time.monotonic()
        event, body, vendor_id = webhook.event, webhook.body, webhook.vendor_id
        outcome = self.inbox.store(webhook_id, vendor, event, body, vendor_id)
        self.metrics.store_seconds.observe(time.monotonic() - begun)
        return outcome

    def _expired(self, time_ms: int | None) -> bool:
        """Return True if the inbox would not keep a webhook of that time any more."""
        return time_ms is not None and time_ms < time.time() * 1000 - self.inbox.life_ms

    def _drop(self, vendor: str, code: str) -> Response:
        """Answer 2xx, so that the vendor doesn't send it again, and store nothing."""
        self.metrics.webhooks.labels(vendor, code).inc()
        log.info("webhook not kept", extra={"vendor": vendor, "code": code})
        return jsonify(status=code)


def webhooks(handler: WebhookHandler) -> Blueprint:
    """Build the blueprint; the vendor's name is the last part of the path."""
    blueprint = Blueprint("webhooks", __name__)
    blueprint.post("/webhooks/<vendor>")(handler.receive)
    return blueprint


def _body(max_bytes: int) -> bytes | None:
    """Read the body; return None if it is too large.

    Werkzeug truncates a chunked body at its limit without an error, so its limit is one byte more.
    """
    request.max_content_length = max_bytes + 1
    length = request.content_length or 0
    body = b"" if length > max_bytes else request.get_data(cache=False)
    return None if max(length, len(body)) > max_bytes else body
