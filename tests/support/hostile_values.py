"""Values that raise on every operation, or pretend to be of another type."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

CANARY: Final = "CANARY #"
"""A text that no error may repeat."""


class Hostile:
    """Raises on every operation."""

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __str__ = __len__ = __bool__ = __eq__ = __getitem__ = _fail
    __hash__ = __format__ = __float__ = __int__ = __index__ = __lt__ = _fail


class HostileMapping(Mapping[str, Any]):
    """A mapping that raises when it is read."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getitem__(self, _: object) -> Any:
        raise RuntimeError(CANARY)

    def __iter__(self) -> Iterator[str]:
        yield from self._names
        raise RuntimeError(CANARY)

    def __len__(self) -> int:
        raise RuntimeError(CANARY)


class HostileText(str):
    """A subclass of str that raises on every operation."""

    __slots__ = ()

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __len__ = __hash__ = __eq__ = __iter__ = __getitem__ = __bool__ = __str__ = __format__ = _fail


class HostileNumber(float):
    """A subclass of float that raises on every operation."""

    __slots__ = ()

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __lt__ = __gt__ = __eq__ = __hash__ = __float__ = __bool__ = _fail


class LyingType:
    """Pretends to be of another type, as lazy objects and mocks do."""

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind

    def __getattribute__(self, name: str) -> Any:
        kind = object.__getattribute__(self, "_kind")
        if name != "__class__":
            return object.__getattribute__(self, name)
        if kind is None:
            raise RuntimeError(CANARY)
        return kind
