"""Check the fields of control requests, so that a misspelt one is not ignored."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import BadControl

Kinds = Mapping[str, tuple[type, ...]]

NONE = type(None)
TEXT: tuple[type, ...] = (str, NONE)
NUMBER: tuple[type, ...] = (int, float)


def check(body: Mapping[str, Any], kinds: Kinds) -> Mapping[str, Any]:
    """Return ``body`` if all its fields are known and of their kind, else raise BadControl."""
    for name, value in body.items():
        if name not in kinds:
            raise BadControl(f"unknown field {name}; known are {', '.join(kinds)}")
        stray_bool = isinstance(value, bool) and bool not in kinds[name]
        if stray_bool or not isinstance(value, kinds[name]):
            raise BadControl(f"{name} must be {_spelled(kinds[name])}")
    return body


def _spelled(kinds: tuple[type, ...]) -> str:
    return " or ".join("null" if kind is NONE else kind.__name__ for kind in kinds)
