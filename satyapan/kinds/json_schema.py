"""The JSON Schema (2020-12) of a kind's request and result, from its data."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import fields

from satyapan.kinds.entry_fields import EACH
from satyapan.kinds.fields import choice_of
from satyapan.kinds.model import Kind, Operation

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Final[Mapping[type[fields.Field[Any]], str]] = {
    fields.String: "string",
    fields.Boolean: "boolean",
    fields.Integer: "integer",
    fields.Number: "number",
    fields.List: "array",
    fields.Mapping: "object",
    fields.Nested: "object",
}


def request_schema(kind: Kind) -> dict[str, Any]:
    """Describe what a producer submits, by what its fields state of their rules.

    `x-private` is true where a value may never be shown.
    """
    choice = choice_of(kind.request)
    return {
        "$schema": DIALECT,
        "title": f"Request of {kind.name}",
        "type": "object",
        **_object(kind.request().fields, lambda name: not kind.is_public(name)),
        **(choice.schema if choice else {}),
    }


def _object(
    parts: Mapping[str, fields.Field[Any]], is_private: Callable[[str], bool]
) -> dict[str, Any]:
    return {
        "properties": {
            name: _property(field, private=is_private(name)) for name, field in parts.items()
        },
        "required": [name for name, field in parts.items() if field.required],
        "additionalProperties": False,
    }


def _property(field: fields.Field[Any], *, private: bool) -> dict[str, Any]:
    stated = {**field.metadata.get("schema", {})}
    types = [word for type_, word in _TYPES.items() if isinstance(field, type_)][:1]
    if field.allow_none and types:
        types.append("null")
    if field.allow_none and "enum" in stated:
        stated["enum"] = [*stated["enum"], None]
    if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
        stated["items"] = _property(field.inner, private=private)
    if isinstance(field, fields.Nested):
        stated |= _object(field.schema.fields, lambda _: private)
    return {
        "description": field.metadata.get("rule", ""),
        **({"type": types[0] if len(types) == 1 else types} if types else {}),
        **stated,
        "x-private": private,
    }


def result_schema(kind: Kind) -> dict[str, Any]:
    """Describe the answer that a producer reads: its documented fields; the vendor may add more.

    `x-statuses` explains the words of `Verification.status`.
    """
    properties: dict[str, dict[str, Any]] = {}
    for name in kind.result_fields:
        described = {"x-private": not kind.is_public(name)}
        of, _, field = name.partition(EACH)
        if field:
            entry = properties[of].setdefault("items", {"type": "object", "properties": {}})
            entry["properties"][field] = described
        else:
            properties[name] = described
    if "status" in properties and all(map(_in_status, kind.operations.values())):
        properties["status"]["enum"] = [*kind.labels]
    return {
        "$schema": DIALECT,
        "title": f"Result of {kind.name}",
        "type": "object",
        "properties": properties,
        "additionalProperties": True,
        "x-statuses": dict(kind.labels),
    }


def _in_status(operation: Operation) -> bool:
    """Return True if the status of an answer is the text in its field `status`."""
    return (operation.status or operation.create).status_field == "status"
