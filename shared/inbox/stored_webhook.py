"""A stored webhook: its fields, its states, and how to read it from Redis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from satyapan.kinds.model import Operation
from shared.scrub import KEPT

_NAMING: Final = KEPT | {"form_link"}


def kept_fields(operations: Iterable[Operation]) -> frozenset[str]:
    """Return the fields that the scrubber must not change in a webhook about these operations.

    They name what the webhook is about, or hold numbers that only look like Aadhaar numbers.
    """
    kept = set(_NAMING)
    for operation in operations:
        kept |= {operation.webhook_id_field.rpartition(".")[2], *operation.unmasked_fields}
    return frozenset(kept)


class WebhookState(StrEnum):
    """State of a stored webhook."""

    NEW = "NEW"
    HANDLED = "HANDLED"
    UNMATCHED = "UNMATCHED"
    """Correctly signed, but of an unknown event or about an unknown id; kept for replay."""
    PARKED = "PARKED"
    """Processing failed too often; an operator may replay it."""


class StoreOutcome(StrEnum):
    """Outcome of storing a webhook."""

    STORED = "stored"
    REPEATED = "repeated"
    FORGOTTEN = "forgotten"
    """Nothing was stored: the verification that the webhook is about was forgotten."""


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A stored webhook. `body` is the scrubbed content as JSON: private, and empty in lists."""

    id: str
    vendor: str
    event: str
    state: WebhookState
    received: int
    """When it was stored: milliseconds since the epoch, on Redis' clock."""
    verification_id: str
    tries: int = 0
    """Number of failures so far."""
    code: str = ""
    """Code of the last failure."""
    body: bytes = field(default=b"", repr=False)


CLEAR_FIELDS: Final = [
    each.name for each in fields(StoredWebhook) if each.name not in {"id", "body"}
]
"""The fields that are stored unsealed, in the order in which `from_fields` takes their values."""


def from_fields(webhook_id: str, values: Sequence[bytes | None], body: bytes) -> StoredWebhook:
    """Build a webhook from the values of `CLEAR_FIELDS` in Redis."""
    texts = ((value or b"").decode() for value in values)
    found: dict[str, Any] = dict(zip(CLEAR_FIELDS, texts, strict=True))
    found["state"] = WebhookState(found["state"])
    found["received"], found["tries"] = int(found["received"]), int(found["tries"] or 0)
    return StoredWebhook(id=webhook_id, body=body, **found)
