"""Print tables or JSON; private data only where it is asked for."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click

from satyapan.events import Event
from satyapan.kinds import Registry
from satyapan.records import State, Verification

_LONG: Final = 120
_PRIVATE: Final = ("result", "link", "handoff")


def print_json(value: object) -> None:
    """Print one JSON value on one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


def print_either(data: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print `data` as JSON, or `lines`."""
    if as_json:
        print_json(data)
    else:
        click.echo("\n".join(lines))


def moment(ms: int) -> str:
    """Format milliseconds since 1970 as ISO 8601 in UTC; "" for 0."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}" if ms else ""


def data_of(verification: Verification, *, private: bool) -> dict[str, Any]:
    """Return a verification as JSON data; of its result only the field names, unless `private`."""
    data = listed_data(verification)
    data["result_fields"] = sorted(verification.result or {})
    data["has_link"] = bool(verification.link)
    if private:
        data |= {name: getattr(verification, name) for name in _PRIVATE}
    return data


def listed_data(verification: Verification) -> dict[str, Any]:
    """Return a verification of a list as JSON data, without its sealed fields."""
    data = {name: value for name, value in asdict(verification).items() if name not in _PRIVATE}
    times = {name: moment(data[name]) or None for name in ("created", "updated")}
    return data | times | {"settled": verification.settled}


def lines_of(verification: Verification, kinds: Registry, *, private: bool) -> Iterator[str]:
    """Return a verification as a table of two columns, without empty values."""
    rows = [(name, text) for name, text in _rows(verification, kinds, private=private) if text]
    return table(rows)


def _rows(
    verification: Verification, kinds: Registry, *, private: bool
) -> Iterator[tuple[str, str]]:
    known = kinds.get(verification.kind)
    label = known.labels.get(verification.status, "") if known else ""
    yield "id", verification.id
    yield "kind", verification.kind
    yield "state", verification.state
    yield "status", f"{verification.status} ({label})" if label else verification.status
    yield "reason", verification.reason
    yield "field", verification.refused_field
    yield "reference", verification.reference
    yield "generation", str(verification.generation) if verification.generation > 1 else ""
    yield "attempts", str(verification.attempts)
    yield "parent", verification.parent
    yield "created", moment(verification.created)
    yield "updated", moment(verification.updated)
    yield from _private(verification) if private else _masked(verification)


def _private(verification: Verification) -> Iterator[tuple[str, str]]:
    yield "link", verification.link
    for part in ("handoff", "result"):
        for name, value in (getattr(verification, part) or {}).items():
            yield f"{part}.{name}", _shortened(value)


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    short = f"{text[:_LONG]}... ({len(text)} characters; --json prints all)"
    return text if len(text) <= _LONG else short


def _masked(verification: Verification) -> Iterator[tuple[str, str]]:
    yield "link", "hidden: show --private" if verification.link else ""
    handed = ", ".join(verification.handoff)
    yield "handoff", f"{handed}: show --private" if handed else ""
    names = ", ".join(sorted(verification.result or {}))
    yield "result", f"{names}: show --private" if names else ""


def event_data(event: Event) -> dict[str, Any]:
    """Return an event as JSON data; its time has milliseconds."""
    return asdict(event) | {"time": event.time.replace("+00:00", "Z"), "name": event.name}


def event_line(event: Event) -> str:
    """Format an event as one line."""
    parts = (event.status, event.reason, f"of {event.parent}" if event.parent else "")
    rest = "  ".join(part for part in parts if part)
    return (
        f"{event.time[:19]}Z  {event.verification_id}  {event.kind}  {event.name}  {rest}".rstrip()
    )


def counted(counts: Mapping[State, int]) -> str:
    """Format the counts by state; "" if all are 0."""
    return ", ".join(f"{state} {n}" for state, n in counts.items() if n)


def table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Format rows with aligned columns."""
    listed = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    for row in listed:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
