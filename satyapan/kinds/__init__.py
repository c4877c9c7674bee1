"""The kinds. A new one is a file beside this one and a line here (docs/adding-a-kind.md)."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Final

from satyapan.errors import Fault, InvalidRequest
from satyapan.kinds.digilocker import DIGILOCKER
from satyapan.kinds.model import Kind, Operation
from satyapan.kinds.passport import PASSPORT
from satyapan.kinds.static_kyc_link import STATIC_KYC_LINK

KINDS: tuple[Kind, ...] = (
    PASSPORT,
    DIGILOCKER,
    STATIC_KYC_LINK,
)

_NEAR: Final = 50
"""So many characters of a strange name are compared with those of kinds."""


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
        """Give a kind by name; KeyError if there is none (a worker older than the producer)."""
        return self._kinds[name]

    def ask(self, name: object) -> Kind:
        """Give the kind that a producer named.

        Raises:
            InvalidRequest: there is no such kind; the text lists those that are.
        """
        if isinstance(name, str) and name in self._kinds:
            return self._kinds[name]
        known = f"choose one of: {', '.join(sorted(self._kinds))}"
        meant = get_close_matches(name[:_NEAR], self._kinds, 1) if isinstance(name, str) else []
        message = f"{known}; did you mean {meant[0]}?" if meant else known
        raise InvalidRequest([Fault("kind", "kind_value_invalid", message)])


def _load(place: str) -> Kind:
    module, _, attribute = place.partition(":")
    kind = getattr(import_module(module), attribute)
    if not isinstance(kind, Kind):
        raise TypeError(f"{place} is not a Kind")
    return kind


__all__ = ["KINDS", "Kind", "Operation", "Registry"]
