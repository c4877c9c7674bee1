"""A kind in words, for the command line and the documentation."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from marshmallow import fields as schema_fields

from satyapan.kinds.entry_fields import EACH
from satyapan.kinds.fields import choice_of
from satyapan.kinds.model import Kind, Mode, Operation, operation_name, vendor_of

_TYPES: Final[Mapping[type[schema_fields.Field[Any]], str]] = {
    schema_fields.List: "list",
    schema_fields.Boolean: "true or false",
    schema_fields.Number: "number",
    schema_fields.String: "text",
    schema_fields.Nested: "object",
}


def kind_data(kind: Kind, now: datetime) -> dict[str, Any]:
    """Return a kind as JSON data, with an example that can be sent now."""
    return {
        "name": kind.name,
        "title": kind.title,
        "needs": list(needs(kind)),
        "request": list(request_fields(kind)),
        "result": [
            {"name": name, "private": not kind.is_public(name)} for name in kind.result_fields
        ],
        "labels": dict(kind.labels),
        "example": kind.example_at(now),
        "operations": [
            {"vendor": vendor_of(key), "operation": operation_name(key), "mode": str(each.mode)}
            for key, each in kind.operations.items()
        ],
        "paid_calls": paid_calls(kind),
    }


def request_fields(kind: Kind) -> Iterator[dict[str, Any]]:
    """Describe each field of a request; those inside an object or an entry by their path."""
    for name, field in kind.request().fields.items():
        yield from _fields(name, field, private=not kind.is_public(name))


def _fields(
    name: str, field: schema_fields.Field[Any], *, private: bool
) -> Iterator[dict[str, Any]]:
    types = (word for type_, word in _TYPES.items() if isinstance(field, type_))
    yield {
        "name": name,
        "type": next(types, "any"),
        "required": field.required,
        "private": private,
        "rule": field.metadata.get("rule", ""),
    }
    entry = field.inner if isinstance(field, schema_fields.List) else None
    inside, name = (entry, f"{name}{EACH}") if entry else (field, f"{name}.")
    if isinstance(inside, schema_fields.Nested):
        for inner, part in inside.schema.fields.items():
            yield from _fields(f"{name}{inner}", part, private=private)


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
