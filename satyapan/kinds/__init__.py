"""The kinds. A new one is a file beside this one and a line here (docs/adding-a-kind.md)."""

from collections.abc import Iterable, Iterator
from pkgutil import resolve_name

from satyapan.errors import Fault, InvalidRequest, did_you_mean
from satyapan.kinds.digilocker import DIGILOCKER
from satyapan.kinds.model import Kind, Operation, Route
from satyapan.kinds.passport import PASSPORT
from satyapan.kinds.static_kyc_link import STATIC_KYC_LINK

KINDS: tuple[Kind, ...] = (
    PASSPORT,
    DIGILOCKER,
    STATIC_KYC_LINK,
)


class Registry:
    """The kinds of one installation, by name."""

    def __init__(self, kinds: Iterable[Kind] = KINDS) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    @classmethod
    def with_plugins(cls, places: Iterable[str]) -> "Registry":
        """Add kinds that live outside this package, each named as `module:ATTRIBUTE`.

        Raises:
            ImportError, AttributeError, TypeError: the place doesn't hold a Kind.
        """
        return cls((*KINDS, *(_load(place) for place in places)))

    def __iter__(self) -> Iterator[Kind]:
        """Walk the kinds in the order they were declared."""
        return iter(self._kinds.values())

    def __getitem__(self, name: str) -> Kind:
        """Return a kind by name; KeyError if there is none (a worker older than the producer)."""
        return self._kinds[name]

    def routes(self) -> list[Route]:
        """List the vendor's routes that any kind calls."""
        operations = [each for kind in self for each in kind.operations.values()]
        found = [route for o in operations for route in (o.create, o.status, o.document)]
        return [route for route in found if route]

    def ask(self, name: object) -> Kind:
        """Return the kind that a producer named.

        Raises:
            InvalidRequest: there is no such kind; the text lists those that are.
        """
        if isinstance(name, str) and name in self._kinds:
            return self._kinds[name]
        meant = did_you_mean(name, self._kinds) if isinstance(name, str) else ""
        message = f"choose one of: {', '.join(sorted(self._kinds))}{meant}"
        raise InvalidRequest([Fault("kind", "kind_value_invalid", message)])


def _load(place: str) -> Kind:
    kind = resolve_name(place)
    if not isinstance(kind, Kind):
        raise TypeError(f"{place} is not a Kind")
    return kind


__all__ = ["KINDS", "Kind", "Operation", "Registry"]
