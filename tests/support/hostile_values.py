"""Values that fail, or say that they are something else, whatever is done to them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

CANARY: Final = "CANARY #"
"""What no error may repeat."""


class Hostile:
    """Fails whatever is done to it."""

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __str__ = __len__ = __bool__ = __eq__ = __getitem__ = _fail
    __hash__ = __format__ = __float__ = __int__ = __index__ = __lt__ = _fail


class HostileMapping(Mapping[str, Any]):
    """A mapping that can't be read."""

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
    """A text of a type of its own that fails."""

    __slots__ = ()

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __len__ = __hash__ = __eq__ = __iter__ = __getitem__ = __bool__ = __str__ = __format__ = _fail


class HostileNumber(float):
    """A number of a type of its own that fails."""

    __slots__ = ()

    def _fail(self, *_: object) -> Any:
        raise RuntimeError(CANARY)

    __lt__ = __gt__ = __eq__ = __hash__ = __float__ = __bool__ = _fail


class LyingType:
    """Says that it is of another type, as lazy objects and mocks do, and fails."""

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind

    def __getattribute__(self, name: str) -> Any:
        kind = object.__getattribute__(self, "_kind")
        if name != "__class__":
            return object.__getattribute__(self, name)
        if kind is None:
            raise RuntimeError(CANARY)
        return kind
