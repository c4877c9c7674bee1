"""The parts of one sandbox in one place, and what goes in and out of an operation."""

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
from sandbox.state import State
from sandbox.webhooks import Event, Webhooks


@dataclass(frozen=True)
class Ask:
    """An authenticated call: its account, its fields (body or query) and what the path named."""

    account: str
    fields: Mapping[str, Any]
    base: str
    document: str = ""


@dataclass(frozen=True)
class Reply:
    """What an operation answers, and the execution to charge for, if any."""

    status: int
    body: Mapping[str, Any]
    execution: Execution | None = None

    @classmethod
    def of(cls, error: VendorError) -> "Reply":
        """Return an error answer."""
        return cls(error.status, error.body())


@dataclass(frozen=True)
class Vendor:
    """All parts of one sandbox."""

    config: SandboxConfig
    clock: Clock
    ids: Ids
    state: State
    quota: Quota
    faults: Faults
    records: Records
    webhooks: Webhooks

    def announce(self, account: str, event_type: str, data: Mapping[str, Any]) -> None:
        """Send a webhook for ``account``."""
        self.webhooks.emit(Event(account, event_type, iso(self.clock.now()), data))

    def announce_journey(self, journey: Journey, word: str) -> None:
        """Send the DigiLocker webhook that ends in ``word``."""
        self.announce(journey.account, EVENT_PREFIX + word, journey.report(self.clock.now()))

    def expire(self) -> None:
        """Send the webhooks that the passing of time has made due; call it often."""
        now = self.clock.now()
        with self.state.lock:
            for code, journey in list(self.state.waiting.items()):
                word = journey.expiry_event(now)
                if word is not None:
                    self.announce_journey(journey, word)
                if journey.announced or journey.decision == "deny":
                    del self.state.waiting[code]

    def reset(self) -> None:
        """Forget all that happened; settings and limits stay."""
        self.state.reset()
        self.quota.reset()
        self.faults.reset()
        self.records.reset()
        self.webhooks.reset()
        self.clock.reset()
