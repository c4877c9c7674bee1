"""Check the fields of control requests, so that a misspelt field is not ignored."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import BadControl

FieldTypes = Mapping[str, tuple[type, ...]]

NONE = type(None)
TEXT: tuple[type, ...] = (str, NONE)
NUMBER: tuple[type, ...] = (int, float)


def checked_fields(body: Mapping[str, Any], types: FieldTypes) -> Mapping[str, Any]:
    """Return ``body`` if all its fields are known and of the right type, or raise BadControl."""
    for name, value in body.items():
        if name not in types:
            raise BadControl(f"unknown field {name}; known are {', '.join(types)}")
        stray_bool = isinstance(value, bool) and bool not in types[name]
        if stray_bool or not isinstance(value, types[name]):
            raise BadControl(f"{name} must be {_names(types[name])}")
    return body


def _names(types: tuple[type, ...]) -> str:
    return " or ".join("null" if each is NONE else each.__name__ for each in types)
