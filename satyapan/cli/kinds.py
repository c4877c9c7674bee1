"""The command `kinds`, and the kinds that the environment's settings name."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from satyapan.cli.options import json_option
from satyapan.cli.output import print_either, print_json, table
from satyapan.kinds import Kind, Registry
from satyapan.kinds.describe import kind_data, needs, paid_calls
from satyapan.kinds.json_schema import request_schema, result_schema
from satyapan.settings.declaration import SettingFault, SettingsError, read_values
from satyapan.settings.producer import ProducerSettings


def registry() -> Registry:
    """Return the kinds, those in the settings included; no key or server needs to be set.

    Raises:
        SettingsError: a further kind can't be loaded.
    """
    values = read_values(ProducerSettings, os.environ, [])
    try:
        return Registry.with_plugins(values.get("kinds", ()))
    except (ImportError, AttributeError, TypeError) as error:
        text = "a place can't be imported or doesn't hold a Kind."
        raise SettingsError([SettingFault("SATYAPAN_KINDS", text)]) from error


def complete_kind(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a kind in a shell."""
    try:
        known = registry()
    except SettingsError:
        known = Registry()
    return [name for name in known.names if name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=complete_kind)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of NAME's request and result.")
@json_option
def kinds(*, name: str | None, schema: bool, as_json: bool) -> None:
    """List the kinds of verification, or describe one."""
    known = registry()
    if schema and name is None:
        raise click.UsageError("--schema needs the NAME of a kind")
    if name is None:
        every = [kind_data(kind, datetime.now(UTC)) for kind in known]
        print_either(every, _table(known), as_json=as_json)
        return
    kind = known.ask(name)
    if schema:
        print_json({"request": request_schema(kind), "result": result_schema(kind)})
    else:
        described = kind_data(kind, datetime.now(UTC))
        print_either(described, _lines(kind, described), as_json=as_json)


def _table(known: Iterable[Kind]) -> Iterator[str]:
    """Return a table of kinds: what each needs, and which calls are paid for."""
    rows = [(kind.name, ", ".join(needs(kind)), paid_calls(kind), kind.title) for kind in known]
    return table([("KIND", "NEEDS", "PAID CALLS", "TITLE"), *rows])


def _lines(kind: Kind, described: Mapping[str, Any]) -> Iterator[str]:
    """Return a kind as text, with a command that submits its example."""
    yield f"{kind.name}: {kind.title}"
    yield f"Needs: {', '.join(described['needs'])}"
    yield f"Paid calls: {described['paid_calls']}"
    yield from _part("Operations", [_operation_row(each) for each in described["operations"]])
    yield from _part("Request", [_request_row(field) for field in described["request"]])
    yield from _part("Result", [_result_row(field) for field in described["result"]])
    yield from _part("Status", described["labels"].items())
    yield from ("", "Example: write the request to a file; it may hold private values")
    yield f"  {json.dumps(described['example'], ensure_ascii=False)}"
    yield f"  satyapan submit {kind.name} --key YOURS --data-file request.json"


def _operation_row(operation: Mapping[str, Any]) -> tuple[str, ...]:
    name = operation["operation"]
    return operation["vendor"], operation["mode"], f"--operation {name}" if name else "usual"


def _request_row(field: Mapping[str, Any]) -> tuple[str, ...]:
    needed = "required" if field["required"] else "optional"
    name, private = _result_row(field)
    return name, field["type"], needed, private, field["rule"]


def _result_row(field: Mapping[str, Any]) -> tuple[str, str]:
    return field["name"], "private" if field["private"] else ""


def _part(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [f"  {line}" for line in table(rows)]
    return iter(["", title, *lines] if lines else [])
