"""Check arguments: turn any Python value into plain data of bounded size, or refuse it.

The client passes each argument through here first. What comes out has Python's own types and a
bounded size, so nothing behind it has to expect anything else.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

from satyapan.errors import Fault, InvalidRequest
from satyapan.records import State

MOST_TEXT: Final = 1_000_000
"""Characters in a request, over all its names and texts."""
_MOST_PARTS: Final = 10_000
"""Values in a request, over all its levels."""
_MOST_LEVELS: Final = 20
_MOST_FIELDS: Final = 100
"""Fields of a bulk's item."""
_LONGEST_NAME: Final = 200
_LONGEST_S: Final = 1e9
_MOST_ROWS: Final = 1_000_000
_LEAVES: Final = frozenset({str, bytes, int, float, bool, type(None)})
_FOREIGN: Final = object()


class _Unfit(Exception):
    """A request can't be accepted; the text says why, without any of its values."""


def plain(request: object) -> Any:  # noqa: ANN401  what JSON can hold
    """Copy a request into Python's own types.

    An object that JSON can't hold is replaced by an empty one: its field refuses that, in the
    field's own words.

    Raises:
        InvalidRequest: it is too large or nested too deep, or its own methods fail.
    """
    try:
        return _Copy().of(request, 1)
    except _Unfit as unfit:
        raise refused("request", f"request {unfit}.") from None
    except Exception as error:  # a mapping of the producer's own may fail in any way
        raise refused("request", f"request can't be read ({type(error).__name__}).") from None


class _Copy:
    """Copies one request, and counts what it copied."""

    def __init__(self) -> None:
        self._parts = 0
        self._text = 0

    def of(self, value: object, level: int) -> Any:  # noqa: ANN401  what JSON can hold
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _Unfit(f"can have at most {_MOST_PARTS} values")
        if level > _MOST_LEVELS:
            raise _Unfit(f"can have at most {_MOST_LEVELS} levels")
        if isinstance(value, Mapping):
            return {text: self.of(value[name], level + 1) for name, text in self._names(value)}
        if isinstance(value, list | tuple):
            return [self.of(each, level + 1) for each in value]
        return self._leaf(value)

    def _names(self, mapping: Mapping[Any, Any]) -> Iterator[tuple[Any, str]]:
        for name in mapping:
            if not isinstance(name, str):
                raise _Unfit("should have text as the names of its fields")
            yield name, self._leaf(name)

    def _leaf(self, value: object) -> Any:  # noqa: ANN401  what JSON can hold
        if isinstance(value, str):
            value = str.__str__(value)  # of an enum's member too
        if isinstance(value, str | bytes):
            self._text += len(value)
            if self._text > MOST_TEXT:
                raise _Unfit(f"can have at most {MOST_TEXT} characters")
        return value if type(value) in _LEAVES else _FOREIGN


def items_of(items: object) -> Iterable[object]:
    """Take the items of a bulk. One item alone, or a text, is no list of them.

    Raises:
        InvalidRequest: it can't be walked through.
    """
    kind = type(items)
    if not issubclass(kind, Iterable) or issubclass(kind, str | bytes | Mapping):
        raise refused("items", "items should be a list of mappings.")
    return cast("Iterable[object]", items)


def item_of(item: object, known: frozenset[str]) -> dict[str, Any]:
    """Read an item of a bulk; what its fields hold is not looked at.

    Raises:
        InvalidRequest: it is no mapping, has unknown fields, or its own methods fail.
    """
    choose = f"choose of {', '.join(sorted(known))}."
    try:
        mapping = item if isinstance(item, Mapping) else None
        names = [] if mapping is None else list(islice(mapping, _MOST_FIELDS + 1))
        strange = [name for name in names if text_of(name) not in known]
        pairs = [] if strange or mapping is None else [(name, mapping[name]) for name in names]
    except Exception as error:  # a mapping of the producer's own may fail in any way
        raise refused("item", f"item can't be read ({type(error).__name__}).") from None
    if mapping is None:
        raise refused("item", f"item should be a mapping; {choose}")
    if len(names) > _MOST_FIELDS:
        raise refused("item", f"item has more than {_MOST_FIELDS} fields; {choose}")
    if strange:
        fields = [text_of(name) or "item" for name in strange]
        raise InvalidRequest([Fault(field, "field_unknown", choose) for field in fields])
    return {str.__str__(name): value for name, value in pairs}


def name_of(field: str, value: object) -> str:
    """Take the name of a group or a reader.

    Raises:
        InvalidRequest: it isn't printable text of a bounded length.
    """
    name = text_of(value)
    if name is None or not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise refused(field, f"{field} should be 1 to {_LONGEST_NAME} printable characters.")
    return name


def seconds_of(field: str, value: object) -> float:
    """Take a number of seconds; more than a billion counts as a billion.

    Raises:
        InvalidRequest: it is no number.
    """
    seconds = _number_of(value)
    if seconds is None or (isinstance(seconds, float) and math.isnan(seconds)):
        raise refused(field, f"{field} should be a number of seconds.")
    return float(max(-_LONGEST_S, min(seconds, _LONGEST_S)))


def state_of(value: object) -> State:
    """Take a state, or its name.

    Raises:
        InvalidRequest: there is no such state; the text lists those that are.
    """
    name = text_of(value)
    if name is None or name not in set(State):
        raise refused("state", f"choose one of: {', '.join(State)}.")
    return State(name)


def limit_of(value: object) -> int:
    """Take the most rows to list.

    Raises:
        InvalidRequest: it is no whole number within bounds.
    """
    limit = _number_of(value)
    if not isinstance(limit, int) or not 0 < limit <= _MOST_ROWS:
        raise refused("limit", f"limit should be a whole number from 1 to {_MOST_ROWS}.")
    return limit


def text_of(value: object) -> str | None:
    """Return a text as Python's own type, and None for anything else.

    The type decides: `isinstance` also believes what an object says of itself, as a lazy proxy or
    a mock does.
    """
    return str.__str__(cast("str", value)) if issubclass(type(value), str) else None


def _number_of(value: object) -> int | float | None:
    """Return a number as Python's own type, and None for anything else."""
    if issubclass(type(value), int):
        return int.__int__(cast("int", value))
    return float.__float__(cast("float", value)) if issubclass(type(value), float) else None


def refused(field: str, message: str) -> InvalidRequest:
    """Make the error of one argument."""
    return InvalidRequest([Fault(field, f"{field}_value_invalid", message)])
