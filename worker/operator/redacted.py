"""The part of a stored webhook that operators may see: its shape, status words and ids."""

import json
import re
from typing import Any, Final

HIDDEN: Final = "***"
_SHOWN: Final = frozenset(
    {
        "event_type",
        "event_time",
        "version",
        "status",
        "form_status",
        "type",
        "verification_id",
        "reference_id",
        "document_requested",
        "document_consent",
        "document_consent_validity",
        "link_expiry",
        "bytes",
    }
)
"""The vendor's fields whose values are status words, times and ids."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9:._+-]{1,80}|[0-9-]{10} [0-9:]{8}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
_DEEPEST: Final = 6


def redacted(body: bytes) -> object:
    """Return a webhook's content with every value hidden that isn't known to be harmless."""
    try:
        return _hide(json.loads(body), shown=False, depth=0)
    except (ValueError, RecursionError):
        return f"{len(body)} bytes that are no JSON"


def _hide(value: Any, *, shown: bool, depth: int) -> object:  # noqa: ANN401 - any JSON
    if value is None or isinstance(value, bool) or depth > _DEEPEST:
        return HIDDEN if depth > _DEEPEST else value
    if isinstance(value, dict):
        return {_name(k): _hide(v, shown=k in _SHOWN, depth=depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_hide(each, shown=shown, depth=depth + 1) for each in value]
    return value if shown and _PLAIN.fullmatch(str(value)) else HIDDEN


def _name(key: str) -> str:
    return key if _NAME.fullmatch(key) else HIDDEN
