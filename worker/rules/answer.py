"""Classified answers: what a vendor's answer means. The vendor's package classifies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The class of an answer, on which the rules decide."""

    OK = "ok"
    """A parsed reply that is about our id."""
    WAIT = "wait"
    """Not ready yet: ask the same again (HTTP 202)."""
    REFUSED = "refused"
    """The vendor says that this request is wrong; nothing was executed."""
    MISSING = "missing"
    """The vendor doesn't know our id (a read), or what the request names (a create)."""
    GONE = "gone"
    """This part of the journey's data is not available any more."""
    DUPLICATE = "duplicate"
    """The vendor has seen this id before."""
    THROTTLED = "throttled"
    """Too many calls; nothing was executed."""
    STOPPED = "stopped"
    """The account can't call: credentials, address, balance. Nothing was executed."""
    MISCONFIGURED = "misconfigured"
    """The vendor refuses what this installation adds to each request of a route; nothing was
    executed, and the operator has to correct a setting."""
    NOT_ENABLED = "not_enabled"
    """The vendor has not enabled the product for the account: no call of the route is executed."""
    NOT_SENT = "not_sent"
    """No byte of the request left: name, connection or TLS failed."""
    UNKNOWN = "unknown"
    """Maybe executed: no answer, a cut or unreadable one, a 5xx, or one to another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A classified answer. `code` is the vendor's, or ours where there is none."""

    outcome: Outcome
    http: int = 0
    code: str = ""
    refused_field: str = ""
    reference: str = ""
    """The vendor's own id of the verification, from a reply or an error; "" if it named none."""
    status: str = ""
    """The status that a reply states, for OK only; the kind's `status_map` gives its meaning."""
    not_before_s: float = 0.0
    """The wait that the vendor asks for, in seconds from now (after a 429)."""
    account_wide: bool = False
    """True if that holds for every route of the account, not only for the one that was called."""
    limit: int = 0
    """The calls per window that the vendor says it allows; 0 when it doesn't say."""
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    """The whole reply, scrubbed; for OK only. Private."""
