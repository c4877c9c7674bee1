"""Read a verified webhook: its scrubbed content, and the bytes that its webhook id is made of.

Only signed content counts: a repeated delivery may have new headers, and with an unsigned delivery
id a stranger could replay a captured body.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from satyapan.canonical import canonical
from satyapan.kinds import Registry
from satyapan.kinds.model import Operation
from satyapan.kinds.values import time_ms, value_at
from shared.inbox.stored_webhook import kept_fields
from shared.scrub import parse, scrub_object

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


def read_webhook(raw: bytes, vendor: str, kinds: Registry) -> IncomingWebhook:
    """Read a webhook whose signature is valid. No body raises an error.

    The kinds that its event may be about say where it names our id, and what isn't masked. Of a
    body that is not a JSON object, or is nested too deep, only the size is kept: it can't be
    checked for Aadhaar numbers.
    """
    parsed = parse(raw)
    said = _event(parsed.get("event_type")) if isinstance(parsed, dict) else ""
    operations = [operation for _, operation in kinds.for_event(vendor, said)]
    content = scrub_object(parsed, kept_fields(operations))
    if content is None:
        body = canonical({"unreadable": True, "bytes": len(raw)})
        return IncomingWebhook("", "", None, raw, body)
    return IncomingWebhook(
        event=_event(content.get("event_type")),
        vendor_id=_vendor_id(content.get("data"), operations),
        event_ms=time_ms(content.get("event_time")),
        signed=signed_content(raw),
        body=canonical(content),
    )


def signed_content(raw: bytes) -> bytes:
    """Return event type, time and data as canonical JSON, or all bytes if one is missing."""
    content: Any = parse(raw)
    try:
        return canonical([content["event_type"], content["event_time"], content["data"]])
    except (KeyError, ValueError):  # ValueError: half of a surrogate pair
        return raw


def _event(name: object) -> str:
    """Return the event type if it is a plain name, else "": it is stored and logged in clear."""
    return name if isinstance(name, str) and _EVENT.fullmatch(name) else ""


def _vendor_id(data: object, operations: Sequence[Operation]) -> str:
    """Find the id that a webhook is about, at the place that its event's kinds name."""
    if not isinstance(data, dict):
        return ""
    paths = [operation.webhook_id_field for operation in operations] or ["verification_id"]
    found = (value_at(data, path) for path in paths)
    return next((str(each) for each in found if each), "")
