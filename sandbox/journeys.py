"""DigiLocker journeys, and how time and a person's decision change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox import people
from sandbox.clock import iso

Decision = Literal["allow", "deny", "fail"]
EVENT_PREFIX = "DIGILOCKER_VERIFICATION_"


@dataclass
class Journey:
    """One journey, from its URL to the end of its consent. Times are Unix seconds."""

    account: str
    verification_id: str
    reference_id: int
    code: str
    documents: tuple[str, ...]
    redirect_url: str | None
    user_flow: str | None
    url_until: float
    document_202: int
    person: people.Person = field(default_factory=lambda: people.person({}))
    decision: Decision | None = None
    consent: tuple[str, ...] = ()
    consent_until: float | None = None
    not_ready: dict[str, int] = field(default_factory=dict)
    expiry_reported: bool = False

    def status(self, now: float) -> str:
        """Return the vendor's status at ``now``."""
        if self.decision == "deny":
            return "CONSENT_DENIED"
        if self.consent_until is not None:
            return "AUTHENTICATED" if now < self.consent_until else "EXPIRED"
        return "PENDING" if now < self.url_until else "EXPIRED"

    def is_open(self, now: float) -> bool:
        """Return True if a person can still decide."""
        return self.decision is None and now < self.url_until

    def decide(
        self, decision: Decision, consent: tuple[str, ...], now: float, lifetime: float
    ) -> str:
        """Record the decision; return the end of the webhook's event type."""
        self.decision = decision
        if decision == "allow":
            self.consent = tuple(name for name in self.documents if name in consent)
            self.consent_until = now + lifetime
        return {"allow": "SUCCESS", "deny": "CONSENT_DENIED", "fail": "FAILURE"}[decision]

    def expiry_event(self, now: float) -> str | None:
        """Return the event of an expiry, once; None if nothing has expired."""
        if self.expiry_reported or self.status(now) != "EXPIRED":
            return None
        self.expiry_reported = True
        return "LINK_EXPIRED" if self.consent_until is None else "CONSENT_EXPIRED"

    def use_not_ready(self, document: str) -> bool:
        """Return True if this fetch of ``document`` must be answered "not ready"."""
        left = self.not_ready.setdefault(document, self.document_202)
        self.not_ready[document] = max(0, left - 1)
        return left > 0

    def report(self, now: float) -> dict[str, Any]:
        """Return the body of a status answer, which is also a webhook's data."""
        status = self.status(now)
        authenticated = status == "AUTHENTICATED"
        linked = self.person["eaadhaar"] != "N"
        consented = self.consent_until is not None
        body = {
            "user_details": people.details(self.person) if consented else {},
            "status": status,
            "document_requested": list(self.documents),
            "document_consent": None if authenticated and not linked else list(self.consent),
            "verification_id": self.verification_id,
            "reference_id": self.reference_id,
        }
        if self.consent_until is not None:
            body["document_consent_validity"] = iso(self.consent_until)
        return body


@dataclass(frozen=True)
class PersonScript:
    """What a scripted person does, and the person's data."""

    decision: Decision | None = None
    documents: tuple[str, ...] | None = None
    person: Mapping[str, Any] = field(default_factory=dict)
    document_202: int | None = None

    def prepare(self, journey: Journey) -> None:
        """Set the person and the number of fetches that are not ready."""
        journey.person = people.person(self.person)
        if self.document_202 is not None:
            journey.document_202 = self.document_202
            journey.not_ready.clear()
