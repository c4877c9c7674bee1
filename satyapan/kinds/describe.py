"""A kind in words, for the command line and the documentation."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from marshmallow import fields as schema_fields

from satyapan.kinds.fields import choice_of
from satyapan.kinds.model import Kind, Mode, Operation

_TYPES: Final[Mapping[type[schema_fields.Field[Any]], str]] = {
    schema_fields.List: "list",
    schema_fields.Boolean: "true or false",
    schema_fields.Number: "number",
    schema_fields.String: "text",
}


def kind_data(kind: Kind) -> dict[str, Any]:
    """Return a kind as JSON data."""
    return {
        "name": kind.name,
        "title": kind.title,
        "needs": list(needs(kind)),
        "request": [_field(kind, name, field) for name, field in kind.request().fields.items()],
        "result": [
            {"name": name, "private": not kind.is_public(name)} for name in kind.result_fields
        ],
        "labels": dict(kind.labels),
        "example": dict(kind.example),
        "vendors": {vendor: str(each.mode) for vendor, each in kind.operations.items()},
        "paid_calls": paid_calls(kind),
    }


def _field(kind: Kind, name: str, field: schema_fields.Field[Any]) -> dict[str, Any]:
    types = (word for type_, word in _TYPES.items() if isinstance(field, type_))
    return {
        "name": name,
        "type": next(types, "any"),
        "required": field.required,
        "private": not kind.is_public(name),
        "rule": field.metadata.get("rule", ""),
    }


def needs(kind: Kind) -> Iterator[str]:
    """List what a verification of a kind can't do without."""
    yield from (name for name, field in kind.request().fields.items() if field.required)
    choice = choice_of(kind.request)
    if choice:
        yield str(choice)
    if any(each.mode is Mode.JOURNEY for each in kind.operations.values()):
        yield "a person in a browser"


def paid_calls(kind: Kind) -> str:
    """Describe which calls the vendor may charge for, by the modes of the operations."""
    return "; ".join(dict.fromkeys(map(_paid_calls, kind.operations.values())))


def _paid_calls(operation: Operation) -> str:
    if operation.mode is Mode.RESOURCE:
        return "one for all who share it"
    return "one, and one for each document" if operation.document else "one"
