"""All parts of one sandbox, and the input and output of its operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.config import SandboxConfig
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
    """An authenticated call: its account, its fields (body or query) and the path's document."""

    account: str
    fields: Mapping[str, Any]
    base: str
    document: str = ""


@dataclass(frozen=True)
class ApiReply:
    """An operation's answer, and its chargeable execution, if any."""

    status: int
    body: Mapping[str, Any]
    execution: Execution | None = None

    @classmethod
    def of(cls, error: VendorError) -> "ApiReply":
        """Return an error answer."""
        return cls(error.status, error.body())


@dataclass(frozen=True)
class EmulatedVendor:
    """All parts of one sandbox."""

    config: SandboxConfig
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

    def expire(self) -> None:
        """Send the webhooks about what has expired; must be called regularly."""
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
