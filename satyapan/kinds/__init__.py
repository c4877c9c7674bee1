"""The kinds, imported by name at first use.

A new one is a file in its family's folder and a line in `PLACES` (docs/adding-a-kind.md).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pkgutil import resolve_name
from typing import Final

from satyapan.errors import Fault, InvalidRequest, did_you_mean
from satyapan.kinds.model import Kind, Operation, Route, vendor_of

PLACES: Final[Mapping[str, str]] = {
    "passport": "satyapan.kinds.identity.passport:PASSPORT",
    "digilocker": "satyapan.kinds.identity.digilocker:DIGILOCKER",
    "digilocker_account": "satyapan.kinds.identity.digilocker_account:DIGILOCKER_ACCOUNT",
    "voter_id": "satyapan.kinds.identity.voter_id:VOTER_ID",
    "driving_license": "satyapan.kinds.identity.driving_license:DRIVING_LICENSE",
    "name_match": "satyapan.kinds.identity.name_match:NAME_MATCH",
    "mobile_360": "satyapan.kinds.identity.mobile_360:MOBILE_360",
    "pan": "satyapan.kinds.tax.pan:PAN",
    "pan_lite": "satyapan.kinds.tax.pan_lite:PAN_LITE",
    "pan_360": "satyapan.kinds.tax.pan_360:PAN_360",
    "pan_batch": "satyapan.kinds.tax.pan_batch:PAN_BATCH",
    "pan_gstin": "satyapan.kinds.tax.pan_gstin:PAN_GSTIN",
    "gstin": "satyapan.kinds.tax.gstin:GSTIN",
    "cin": "satyapan.kinds.company.cin:CIN",
    "udyam": "satyapan.kinds.company.udyam:UDYAM",
    "pan_udyam": "satyapan.kinds.company.pan_udyam:PAN_UDYAM",
    "advance_employment": "satyapan.kinds.company.advance_employment:ADVANCE_EMPLOYMENT",
    "vehicle_rc": "satyapan.kinds.vehicle.vehicle_rc:VEHICLE_RC",
    "bank_account": "satyapan.kinds.bank.bank_account:BANK_ACCOUNT",
    "bank_account_batch": "satyapan.kinds.bank.bank_account_batch:BANK_ACCOUNT_BATCH",
    "ifsc": "satyapan.kinds.bank.ifsc:IFSC",
    "reverse_penny_drop": "satyapan.kinds.bank.reverse_penny_drop:REVERSE_PENNY_DROP",
    "upi": "satyapan.kinds.upi.upi:UPI",
    "upi_mobile": "satyapan.kinds.upi.upi_mobile:UPI_MOBILE",
    "upi_advance": "satyapan.kinds.upi.upi_advance:UPI_ADVANCE",
    "upi_penny_drop": "satyapan.kinds.upi.upi_penny_drop:UPI_PENNY_DROP",
    "mobile_penny_drop": "satyapan.kinds.upi.mobile_penny_drop:MOBILE_PENNY_DROP",
    "ip": "satyapan.kinds.location.ip:IP",
    "geocoding": "satyapan.kinds.location.geocoding:GEOCODING",
    "reverse_geocoding": "satyapan.kinds.location.reverse_geocoding:REVERSE_GEOCODING",
    "static_kyc_link": "satyapan.kinds.links.static_kyc_link:STATIC_KYC_LINK",
}
"""Each kind's name and place, module:ATTRIBUTE."""


class Registry:
    """The kinds of one installation, by name: those of `PLACES`, and `more` that are loaded."""

    def __init__(self, more: Iterable[Kind] = ()) -> None:
        self._loaded = {kind.name: kind for kind in more}
        self.names: Final = tuple(dict.fromkeys((*PLACES, *self._loaded)))

    @classmethod
    def with_plugins(cls, places: Iterable[str]) -> "Registry":
        """Load kinds that live outside this package, each named as `module:ATTRIBUTE`.

        Raises:
            ImportError, AttributeError, TypeError: the place doesn't hold a Kind.
        """
        return cls(map(_load, places))

    def __iter__(self) -> Iterator[Kind]:
        """Walk through all kinds in the order they were declared; this loads them."""
        return (self[name] for name in self.names)

    def __getitem__(self, name: str) -> Kind:
        """Return a kind by name; KeyError if there is none (a worker older than the producer)."""
        if name not in self._loaded:
            self._loaded[name] = _load(PLACES[name])
        return self._loaded[name]

    def get(self, name: str) -> Kind | None:
        """Return a kind by name; None if there is none."""
        return self[name] if name in self.names else None

    def routes(self) -> list[Route]:
        """List the vendor's routes that any kind calls, each once; this loads all kinds."""
        operations = [each for kind in self for each in kind.operations.values()]
        found = [route for o in operations for route in (o.create, o.status, o.document)]
        return list({route.name: route for route in found if route}.values())

    def for_event(self, vendor: str, event: str) -> Sequence[tuple[Kind, Operation]]:
        """List the kinds, each with its operation, that a vendor's webhook event may be about.

        The first call loads all kinds.
        """
        return self._by_event.get((vendor, event), ())

    @cached_property
    def _by_event(self) -> Mapping[tuple[str, str], list[tuple[Kind, Operation]]]:
        found: dict[tuple[str, str], list[tuple[Kind, Operation]]] = {}
        for kind in self:
            for key, operation in kind.operations.items():
                for event in {*operation.events, *operation.visitor_events}:
                    found.setdefault((vendor_of(key), event), []).append((kind, operation))
        return found

    def ask(self, name: object) -> Kind:
        """Return the kind that a producer named.

        Raises:
            InvalidRequest: there is no such kind; the text lists those that are.
        """
        if isinstance(name, str) and name in self.names:
            return self[name]
        meant = did_you_mean(name, self.names) if isinstance(name, str) else ""
        message = f"choose one of: {', '.join(sorted(self.names))}{meant}"
        raise InvalidRequest([Fault("kind", "kind_value_invalid", message)])


def _load(place: str) -> Kind:
    kind = resolve_name(place)
    if not isinstance(kind, Kind):
        raise TypeError(f"{place} is not a Kind")
    return kind


__all__ = ["PLACES", "Kind", "Operation", "Registry"]
