"""The vendor's webhooks: signed, retried, and on request repeated, reordered, late or lost."""

import base64
import hashlib
import heapq
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import requests

from sandbox.control_fields import NUMBER, TEXT

VERSION = "v1"
TIMEOUT_S = 3.0
LONGEST_BACKOFF_S = 5.0

OWN_IDS = (
    "verification_id",
    "user_id",
    "bulk_verification_id",
    "consent_verification_id",
    "fi_verification_id",
)
REFERENCES = ("reference_id", "ref_id")
"""The names of the client's id and of the vendor's reference in the data of events."""

OK_RANGE = range(200, 300)
FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class WebhookEvent:
    """One event that a client is notified of."""

    account: str
    event_type: str
    event_time: str
    data: Mapping[str, Any]
    version: str = VERSION

    def id_in(self, names: Iterable[str]) -> Any:  # noqa: ANN401 - JSON
        """Return the value of the first of ``names`` that the data contains, or None."""
        return next((self.data[name] for name in names if name in self.data), None)

    def raw(self) -> bytes:
        """Return the body of the webhook."""
        return json.dumps(
            {
                "event_type": self.event_type,
                "event_time": self.event_time,
                "version": self.version,
                "data": self.data,
            }
        ).encode()


@dataclass
class Delivery:
    """The delivery of one copy of an event; state: off, held, waiting, delivered or failed."""

    n: int
    event_type: str
    verification_id: str | None
    reference_id: int | None
    copy: int
    state: str = "waiting"
    attempts: list[int | str] = field(default_factory=list)


@dataclass
class Behaviour:
    """How deliveries behave; the fields are those of the control route."""

    url: str | None = None
    duplicate: int = 0
    reorder: bool = False
    delay_s: float = 0.0
    off: bool = False
    renew_timestamp: bool = True


BEHAVIOUR_FIELDS: Mapping[str, tuple[type, ...]] = {
    "url": TEXT,
    "duplicate": (int,),
    "reorder": (bool,),
    "delay_s": NUMBER,
    "off": (bool,),
    "renew_timestamp": (bool,),
}


def sign(secret: str, timestamp: str, raw: bytes) -> str:
    """Return the value of ``x-webhook-signature``: HMAC-SHA256 over timestamp and body, base64."""
    digest = hmac.new(secret.encode(), timestamp.encode() + raw, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass
class _QueuedDelivery:
    event: WebhookEvent
    delivery: Delivery
    timestamp: str | None = None


class Webhooks:
    """Delivers events in a thread that starts with the first one."""

    def __init__(
        self,
        url: str | None,
        secrets: Mapping[str, str],
        clock: Callable[[], float],
        *,
        attempts: int,
        backoff_s: float,
    ) -> None:
        """Set the address, each account's secret, a clock for timestamps, and the retries."""
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._max_attempts = attempts
        self._backoff_s = backoff_s
        self.behaviour = Behaviour(url)
        self._log: list[Delivery] = []
        self._held: list[_QueuedDelivery] = []
        self._queue: list[tuple[float, int, _QueuedDelivery]] = []
        self._order = itertools.count()
        self._busy = 0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._session = requests.Session()
        self._session.trust_env = False

    def emit(self, event: WebhookEvent) -> None:
        """Queue an event with the configured number of copies."""
        with self._changed:
            for copy in range(1 + self.behaviour.duplicate):
                self._emit_copy(event, copy)

    def _emit_copy(self, event: WebhookEvent, copy: int) -> None:
        delivery = Delivery(
            len(self._log) + 1,
            event.event_type,
            event.id_in(OWN_IDS),
            event.id_in(REFERENCES),
            copy,
        )
        self._log.append(delivery)
        if self.behaviour.off or not self.behaviour.url:
            delivery.state = "off"
        elif self.behaviour.reorder:
            delivery.state = "held"
            self._held.append(_QueuedDelivery(event, delivery))
        else:
            self._schedule(_QueuedDelivery(event, delivery), self.behaviour.delay_s)

    def _schedule(self, queued: _QueuedDelivery, delay_s: float) -> None:
        with self._changed:
            due = time.monotonic() + delay_s
            heapq.heappush(self._queue, (due, next(self._order), queued))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            queued = self._next()
            try:
                self._attempt(queued)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> _QueuedDelivery:
        with self._changed:
            while not self._queue or self._queue[0][0] > time.monotonic():
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                self._changed.wait(wait)
            self._busy += 1
            return heapq.heappop(self._queue)[2]

    def _attempt(self, queued: _QueuedDelivery) -> None:
        delivery = queued.delivery
        outcome = self._post(queued, len(delivery.attempts) + 1)
        delivery.attempts.append(outcome)
        if delivery.state == FORGOTTEN:
            return
        if outcome in OK_RANGE:
            delivery.state = "delivered"
        elif len(delivery.attempts) >= self._max_attempts:
            delivery.state = "failed"
        else:
            backoff = self._backoff_s * 2 ** (len(delivery.attempts) - 1)
            self._schedule(queued, min(backoff, LONGEST_BACKOFF_S))

    def _post(self, queued: _QueuedDelivery, attempt: int) -> int | str:
        raw = queued.event.raw()
        if queued.timestamp is None or self.behaviour.renew_timestamp:
            queued.timestamp = str(int(self._clock() * 1000))
        headers = {
            "content-type": "application/json",
            "x-webhook-attempt": str(attempt),
            "x-webhook-signature": sign(self._secrets[queued.event.account], queued.timestamp, raw),
            "x-webhook-timestamp": queued.timestamp,
            "x-webhook-version": queued.event.version,
        }
        url = self.behaviour.url or ""
        try:
            answer = self._session.post(
                url, data=raw, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            return type(error).__name__
        return answer.status_code

    def flush(self, timeout_s: float) -> bool:
        """Send what is held (latest first) or late, and wait; return True if all is sent."""
        with self._changed:
            held, self._held = self._held, []
            late = sorted(self._queue)
            self._queue.clear()
            every = [queued for _, _, queued in late] + held[::-1]
            for queued in every:
                queued.delivery.state = "waiting"
                self._schedule(queued, 0)
            return self._changed.wait_for(
                lambda: not self._queue and not self._busy, timeout=timeout_s
            )

    def log(self) -> list[dict[str, Any]]:
        """Return all deliveries, oldest first: ids, states and answers, but no data."""
        with self._changed:
            return [asdict(delivery) for delivery in self._log]

    def reset(self) -> None:
        """Remove all deliveries, and restore the initial address and behaviour."""
        with self._changed:
            self.behaviour = Behaviour(self._url)
            for delivery in self._log:
                delivery.state = FORGOTTEN  # a delivery in progress is not retried
            self._log.clear()
            self._held.clear()
            self._queue.clear()
