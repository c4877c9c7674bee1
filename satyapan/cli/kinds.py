"""Describe kinds: a table of all, and the fields of one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from marshmallow import fields as schema_fields

from satyapan.cli.output import table
from satyapan.kinds import Kind, Operation
from satyapan.kinds.model import Mode

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
        "request": [_field(kind, name, field) for name, field in kind.request().fields.items()],
        "result": [
            {"name": name, "private": not kind.is_public(name)} for name in kind.result_fields
        ],
        "labels": dict(kind.labels),
        "example": dict(kind.example),
        "vendors": {vendor: str(each.mode) for vendor, each in kind.operations.items()},
        "paid_calls": _paid(kind),
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


def kinds_table(kinds: Iterable[Kind]) -> Iterator[str]:
    """Return a table of kinds: what each needs, and which calls are paid for."""
    rows = [(kind.name, _needs(kind), _paid(kind), kind.title) for kind in kinds]
    return table([("KIND", "NEEDS", "PAID CALLS", "TITLE"), *rows])


def _needs(kind: Kind) -> str:
    fields = kind.request().fields.items()
    person = any(each.mode is Mode.JOURNEY for each in kind.operations.values())
    names = [name for name, field in fields if field.required]
    return ", ".join([*names, "a person in a browser"] if person else names)


def _paid(kind: Kind) -> str:
    """Describe which calls the vendor may charge for, by the modes of the operations."""
    return "; ".join(dict.fromkeys(map(_paid_calls, kind.operations.values())))


def _paid_calls(operation: Operation) -> str:
    if operation.mode is Mode.RESOURCE:
        return "one for all who share it"
    return "one, and one for each document" if operation.document else "one"


def kind_lines(kind: Kind) -> Iterator[str]:
    """Return a kind as text, with a command that submits its example."""
    described = kind_data(kind)
    yield f"{kind.name}: {kind.title}"
    yield f"Paid calls: {described['paid_calls']}"
    yield from _part("Vendors", described["vendors"].items())
    yield from _part("Request", [_field_row(field) for field in described["request"]])
    yield from _part("Result", [_result_row(field) for field in described["result"]])
    yield from _part("Status", described["labels"].items())
    yield from ("", "Example: write the request to a file; it may hold private values")
    yield f"  {json.dumps(described['example'], ensure_ascii=False)}"
    yield f"  satyapan submit {kind.name} --key YOURS --data-file request.json"


def _field_row(field: Mapping[str, Any]) -> tuple[str, ...]:
    needed = "required" if field["required"] else "optional"
    return (
        field["name"],
        field["type"],
        needed,
        *_result_row(field)[1:],
        field["rule"],
    )


def _result_row(field: Mapping[str, Any]) -> tuple[str, str]:
    return field["name"], "private" if field["private"] else ""


def _part(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [f"  {line}" for line in table(rows)]
    return iter(["", title, *lines] if lines else [])
