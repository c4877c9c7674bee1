"""Tells one signed webhook from another: its event and the id under which it is stored once.

Only signed content counts: a repeated delivery may carry new headers, and an unsigned delivery id
would let a stranger replay a captured body.
"""

import hashlib
import json
import re
from typing import Final

from satyapan.canonical import canonical

_EVENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)


def read_letter(vendor: str, body: bytes) -> tuple[str, str]:
    """Give the inbox id and the event ("" for a body that names none) of a verified webhook.

    The ids that it is about lie inside `data`. A body without the usual parts is told from others
    by its bytes.
    """
    event = ""
    try:
        content = json.loads(body)
        event = _event(content["event_type"])
        said = canonical([content["event_type"], content["event_time"], content["data"]])
    except (ValueError, LookupError, TypeError, RecursionError):
        said = body
    return hashlib.sha256(vendor.encode() + b"\0" + said).hexdigest(), event


def _event(name: object) -> str:
    """Take a plain name only: the event is stored and logged in clear."""
    return name if isinstance(name, str) and _EVENT.fullmatch(name) else ""
