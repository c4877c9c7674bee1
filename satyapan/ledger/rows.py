"""The row as Redis holds it: a hash of plain fields, with the private ones sealed.

Only what differs from the default is stored, so a new field costs old rows nothing and a worker
of the next version reads what the last one wrote.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from satyapan.records import Row, State
from satyapan.sealing import KeyRing

SEALED: Final = frozenset({"request", "draft", "result", "link", "handoff"})
_FIELDS: Final = {field.name: field for field in fields(Row)}
_EMPTY: Final = Row(id="", kind="")


def encode(row: Row, ring: KeyRing, before: Row | None = None) -> dict[str, bytes]:
    """Return the fields to write: those that differ from `before`, or from the defaults.

    An empty value stands for "remove this field".
    """
    before = before or _EMPTY
    changed = (name for name in _FIELDS if getattr(row, name) != getattr(before, name))
    return {name: _encode(row, name, ring) for name in changed}


def decode(stored: Mapping[bytes, bytes], ring: KeyRing | None) -> Row:
    """Read a row; without a ring the sealed fields stay empty.

    Raises:
        Unreadable: a sealed field is of an unknown key or of another record.
    """
    record = stored[b"id"].decode()
    values: dict[str, Any] = {}
    for raw_name, raw in stored.items():
        name = raw_name.decode()
        if name in _FIELDS and not (name in SEALED and ring is None):
            values[name] = _decode(record, name, raw, ring)
    return Row(**values)


def sealed_name(row_id: str, name: str) -> str:
    """Name a sealed field for its envelope, so that it opens in its own place only."""
    return f"{row_id}/{name}"


def _encode(row: Row, name: str, ring: KeyRing) -> bytes:
    value = getattr(row, name)
    # A default that says something (ACCEPTED, generation 1) is written: scripts look for it.
    if not value and value == getattr(_EMPTY, name):
        return b""
    if name in SEALED:
        return ring.seal_json(sealed_name(row.id, name), value)
    return (",".join(value) if isinstance(value, tuple) else str(value)).encode()


def _decode(record: str, name: str, raw: bytes, ring: KeyRing | None) -> object:
    if name in SEALED and ring is not None:
        return ring.open_json(sealed_name(record, name), raw)
    default = getattr(_EMPTY, name)
    text = raw.decode()
    if isinstance(default, State):
        return State(text)
    if isinstance(default, tuple):
        return tuple(text.split(",")) if text else ()
    return int(text) if isinstance(default, int) else text
