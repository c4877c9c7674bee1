"""Read a verified webhook: its scrubbed content, and the bytes that its webhook id is made of.

Only signed content counts: a repeated delivery may have new headers, and with an unsigned delivery
id a stranger could replay a captured body.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from satyapan.canonical import canonical
from shared.inbox.stored_webhook import KEPT_FIELDS
from shared.scrub import clean, parse

_EVENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class IncomingWebhook:
    """The parts of a verified webhook. `body` is the scrubbed content as JSON."""

    event: str
    """The event type; empty if there is none that can be stored in clear."""
    vendor_id: str
    """The vendor-side id that it is about; empty if there is none."""
    event_ms: int | None
    """When the event happened, in ms since the epoch; None if that can't be read."""
    signed: bytes = field(repr=False)
    """The signed content, of which the webhook id is made."""
    body: bytes = field(repr=False)


def read_webhook(raw: bytes) -> IncomingWebhook:
    """Read a webhook whose signature is valid. No body raises an error.

    Of a body that is not a JSON object, or is nested too deep, only the size is kept: it can't be
    checked for Aadhaar numbers.
    """
    content = clean(raw, KEPT_FIELDS)
    if content is None:
        body = canonical({"unreadable": True, "bytes": len(raw)})
        return IncomingWebhook("", "", None, raw, body)
    return IncomingWebhook(
        event=_event(content.get("event_type")),
        vendor_id=_vendor_id(content.get("data")),
        event_ms=_timestamp_ms(content.get("event_time")),
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
    """Return the event type if it is a plain name, else "": it is stored and logged in clear."""
    return name if isinstance(name, str) and _EVENT.fullmatch(name) else ""


def _vendor_id(data: object) -> str:
    found = data.get("verification_id") if isinstance(data, dict) else None
    return str(found or "")


def _timestamp_ms(text: object) -> int | None:
    """Parse the vendor's formats, ISO 8601 and `YYYY-MM-DD HH:MM:SS`.

    A time without a zone is taken as UTC, not as India's, so that it is never taken as older than
    it is.
    """
    try:
        when = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
