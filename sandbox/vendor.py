"""All parts of one sandbox, and the input and output of its operations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.config import SandboxConfig
from sandbox.definitions.model import Operations
from sandbox.errors import VendorError
from sandbox.faults import Faults
from sandbox.ids import Ids
from sandbox.journeys import EVENT_PREFIX, Journey
from sandbox.quota import Quota
from sandbox.records import Execution, Records
from sandbox.state import VendorState
from sandbox.webhooks import WebhookEvent, Webhooks


@dataclass(frozen=True)
class ApiRequest:
    """An authenticated call: its account, and its fields (of body or query, and of the path)."""

    account: str
    fields: Mapping[str, Any]
    base: str


@dataclass(frozen=True)
class ApiReply:
    """An operation's answer, its chargeable execution, if any, and where the answer is cut off."""

    status: int
    body: Mapping[str, Any] | None
    execution: Execution | None = None
    cut: str | None = None

    @classmethod
    def of(cls, error: VendorError | None) -> "ApiReply":
        """Return an error answer; without an error, a 404 with an empty body."""
        return cls(error.status, error.body()) if error else cls(HTTPStatus.NOT_FOUND, None)

    def charged(self, execution: Execution) -> "ApiReply":
        """Return this answer with its chargeable execution."""
        return replace(self, execution=execution)


@dataclass(frozen=True)
class PythonReply:
    """The answer of an operation that its file leaves to Python, and how its charge is recorded."""

    body: Mapping[str, Any]
    charged: bool = False
    own_id: str | None = None
    reference_id: int | None = None
    detail: str | None = None


@dataclass(frozen=True)
class EmulatedVendor:
    """All parts of one sandbox."""

    config: SandboxConfig
    operations: Operations
    clock: Clock
    ids: Ids
    state: VendorState
    quota: Quota
    faults: Faults
    records: Records
    webhooks: Webhooks

    def send_webhook(self, account: str, event_type: str, data: Mapping[str, Any]) -> None:
        """Send a webhook for ``account``."""
        self.webhooks.emit(WebhookEvent(account, event_type, iso(self.clock.now()), data))

    def send_journey_webhook(self, journey: Journey, event: str) -> None:
        """Send the DigiLocker webhook whose event type ends in ``event``."""
        self.send_webhook(journey.account, EVENT_PREFIX + event, journey.report(self.clock.now()))

    def expire_journeys(self) -> None:
        """Send the webhooks about DigiLocker journeys that have expired."""
        now = self.clock.now()
        with self.state.lock:
            for code, journey in list(self.state.not_expired.items()):
                event = journey.expiry_event(now)
                if event is not None:
                    self.send_journey_webhook(journey, event)
                if journey.expiry_reported or journey.decision == "deny":
                    del self.state.not_expired[code]

    def reset(self) -> None:
        """Remove all state and records; settings and limits stay."""
        self.state.reset()
        self.quota.reset()
        self.faults.reset()
        self.records.reset()
        self.webhooks.reset()
        self.clock.reset()
