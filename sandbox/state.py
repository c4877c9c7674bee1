"""The state that the sandbox keeps between calls, protected by one lock."""

import threading
from dataclasses import dataclass, field

from sandbox.cases import Cases
from sandbox.errors import RefusedCall, VendorError
from sandbox.journeys import Journey, PersonScript

DEFAULT_TEMPLATE = "Aadhaar_verification"
DEFAULT_STEPS = ("OFFLINE_AADHAAR_VERIFICATION",)


@dataclass
class StaticLink:
    """A static link of a template; one link serves any number of people."""

    account: str
    template_name: str
    code: str
    url: str
    active: bool = True


@dataclass
class Form:
    """One person's form of a static link, with ids that the vendor issued."""

    account: str
    verification_id: str
    reference_id: int
    form_link: str
    link_expiry: str
    name: str
    phone: str
    email: str
    form_status: str = "PENDING"
    steps: list[dict[str, object]] = field(default_factory=list)


class VendorState:
    """Journeys, links, forms, used ids and templates; hold ``lock`` while using it."""

    def __init__(self) -> None:
        """Start with the vendor's built-in template only."""
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Remove everything but the built-in template."""
        with self.lock:
            self.used: set[tuple[str, str, str]] = set()
            self.journeys: dict[str, Journey] = {}
            self.not_expired: dict[str, Journey] = {}
            self.scripts: dict[str, PersonScript] = {}
            self.links: dict[str, StaticLink] = {}
            self.forms: list[Form] = []
            self.cases = Cases()
            self.presses: dict[str, str] = {}
            self.not_enabled: dict[str, VendorError | None] = {}
            self.templates: dict[str, tuple[str, ...]] = {DEFAULT_TEMPLATE: DEFAULT_STEPS}
            self.stop: VendorError | None = None
            self._by_id: dict[tuple[str, str], Journey] = {}
            self._by_reference: dict[int, Journey] = {}

    def use(self, route: str, account: str, verification_id: str) -> None:
        """Mark an id as used."""
        self.used.add((route, account, verification_id))

    def refuse_used(
        self, route: str, account: str, verification_id: str, repeated: VendorError
    ) -> None:
        """Refuse an id that was used before."""
        if (route, account, verification_id) in self.used:
            raise RefusedCall(repeated)

    def add_journey(self, journey: Journey) -> None:
        """Store a journey under its code and both its ids."""
        self.journeys[journey.code] = journey
        self.not_expired[journey.code] = journey
        self._by_id[(journey.account, journey.verification_id)] = journey
        self._by_reference[journey.reference_id] = journey

    def journey(self, account: str, verification_id: str) -> Journey | None:
        """Return the journey with this client-side id."""
        return self._by_id.get((account, verification_id))

    def journey_of_any_client(self, verification_id: str) -> Journey | None:
        """Return the newest journey with this client-side id, of any client."""
        found = [each for (_, vid), each in self._by_id.items() if vid == verification_id]
        return found[-1] if found else None

    def journey_by_reference(self, reference_id: int) -> Journey | None:
        """Return the journey with this vendor-side id."""
        return self._by_reference.get(reference_id)
