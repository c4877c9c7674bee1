"""Read a verified webhook: its scrubbed content, and the bytes that its webhook id is made of.

Only signed content counts: a repeated delivery may carry new headers, and an unsigned delivery id
would let a stranger replay a captured body.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from config.scrub import clean, parse
from satyapan.canonical import canonical
from shared.inbox import KEPT_FIELDS

_EVENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts of a webhook. `body` is the scrubbed content as JSON."""

    event: str
    """Empty when it names none."""
    vendor_id: str
    """The vendor-side id that it is about; empty when it names none."""
    told_ms: int | None
    """When the event was, in ms since the epoch; None when that can't be read."""
    signed: bytes = field(repr=False)
    """The signed content, of which the webhook id is made."""
    body: bytes = field(repr=False)


def read_webhook(raw: bytes) -> Reading:
    """Read a webhook whose signature is valid. No body raises an error.

    Of a body that is no JSON object, or is nested too deep, only the size is kept: nobody can tell
    whether it holds an Aadhaar number.
    """
    content = clean(raw, KEPT_FIELDS)
    if content is None:
        body = canonical({"unreadable": True, "bytes": len(raw)})
        return Reading("", "", None, raw, body)
    return Reading(
        event=_event(content.get("event_type")),
        vendor_id=_vendor_id(content.get("data")),
        told_ms=_moment(content.get("event_time")),
        signed=_signed(raw),
        body=canonical(content),
    )


def _signed(raw: bytes) -> bytes:
    """Return event type, time and data as canonical JSON, or all bytes if one is missing."""
    content: Any = parse(raw)
    try:
        return canonical([content["event_type"], content["event_time"], content["data"]])
    except (KeyError, ValueError):  # ValueError: half of a surrogate pair
        return raw


def _event(name: object) -> str:
    """Return the event's name if it is a plain one, else "": it is stored and logged in clear."""
    return name if isinstance(name, str) and _EVENT.fullmatch(name) else ""


def _vendor_id(data: object) -> str:
    found = data.get("verification_id") if isinstance(data, dict) else None
    return str(found or "")


def _moment(text: object) -> int | None:
    """Read the vendor's forms, ISO 8601 and `YYYY-MM-DD HH:MM:SS`.

    A time without a zone is taken as UTC, not as India's: it is never judged older than it is.
    """
    try:
        when = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
