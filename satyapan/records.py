"""The row (the ledger's record), its states, and its view for producers."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class State(StrEnum):
    """Where a verification stands; docs/architecture.md draws it."""

    ACCEPTED = "ACCEPTED"
    CLAIMED = "CLAIMED"
    SENT = "SENT"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    DENIED = "DENIED"
    FAILED = "FAILED"
    LOST = "LOST"
    PARKED = "PARKED"


TERMINAL: Final = frozenset(
    {State.DONE, State.REFUSED, State.EXPIRED, State.DENIED, State.FAILED, State.LOST}
)
"""States that never change again."""
SETTLED: Final = TERMINAL | {State.PARKED}
"""States in which nothing happens by itself: the answer is in, or a person has to decide."""


MAYBE_PAID: Final = "maybe_paid"
"""In the record of a generation: the vendor may have charged the vendor-side id before it."""
UNPAID: Final = "unpaid"
"""In the record of a generation: no call under the vendor-side id before it was executed."""

VENDOR: Final = "cashfree"
"""The vendor of an installation; there is one so far."""
ACCOUNT: Final = "main"
"""The merchant account of an installation; there is one so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One verification. Times are milliseconds on Redis' clock; 0 means "none".

    `request`, `draft`, `result`, `link` and `handoff` are private: sealed in Redis, in no repr.
    """

    id: str
    kind: str
    vendor: str = VENDOR
    """The key of its operation in `Kind.operations`: the vendor, or VENDOR/NAME."""
    account: str = ACCOUNT
    state: State = State.ACCEPTED
    status: str = ""
    """The vendor's status word: VALID, INVALID, AUTHENTICATED, ACTIVE ..."""
    reason: str = ""
    """The reason of its state: a vendor's code or one of ours."""
    refused_field: str = ""
    """For REFUSED: the request field that the vendor names."""
    generation: int = 1
    generations: tuple[str, ...] = ()
    """The record of each further generation: number, reason, time, whether the vendor-side id
    before it may have been paid, its own vendor-side id."""
    attempts: int = 0
    ambiguous: int = 0
    """Ambiguous attempts: calls of this generation that may have been executed, with no answer."""
    misses: int = 0
    """Answers in a row that the vendor does not know our id."""
    tries: int = 0
    """Waits in a row without progress; drives the back-off."""
    reference: str = ""
    http: int = 0
    fence: int = 0
    lease: int = 0
    crashes: int = 0
    """Workers in a row that died while they held this row."""
    due: int = 0
    deadline: int = 0
    checked: int = 0
    """When the last status or document read was sent."""
    found_open: int = 0
    """When the last status read was sent whose answer said that the journey is still open."""
    ask: str = ""
    """How the next status read was asked for: "first" or "again"; empty for a poll."""
    asking: str = ""
    """The ask that the read under way serves; it comes back if that read has no answer."""
    asks: int = 0
    """Requested status reads in a row; drives the back-off between them."""
    asked: int = 0
    """When somebody (a person who came back, a webhook) first asked for a status read, and has
    gone on asking since."""
    evidence: str = ""
    """The status word that a signed webhook claimed; decides only if no read ever can."""
    todo: tuple[str, ...] = ()
    parent: str = ""
    reply_to: str = "default"
    priority: str = ""
    """The lane in which it waits for the vendor's quota: high, or empty for the normal one."""
    seq: int = 0
    digest: str = ""
    """Digest of the request under its producer's id key: a repeat has the same one."""
    resource: str = ""
    """Name of the shared resource that it got, kept because its request is removed at its end."""
    created: int = 0
    updated: int = 0
    request: Mapping[str, Any] = field(default_factory=dict, repr=False)
    draft: Mapping[str, Any] | None = field(default=None, repr=False)
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    link: str = field(default="", repr=False)
    handoff: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a person needs besides the link: more links, a QR code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A verification as producers see it. Its repr shows ids and codes only."""

    id: str
    kind: str
    state: State
    status: str
    reason: str
    refused_field: str
    reference: str
    generation: int
    attempts: int
    parent: str
    created: int
    updated: int
    result: Mapping[str, Any] | None = field(repr=False)
    link: str = field(repr=False)
    """A journey's until its end; a shared link stays."""
    handoff: Mapping[str, Any] = field(repr=False)
    """Until its end: what a person needs besides the link, by the vendor's names (`qr_code`)."""

    @property
    def settled(self) -> bool:
        """Return True if nothing more happens by itself."""
        return self.state in SETTLED

    @property
    def terminal(self) -> bool:
        """Return True if this is final: the same bytes on every read from now on."""
        return self.state in TERMINAL

    def picture(self, name: str) -> bytes:
        """Decode a picture (for example `qr_code`) from base64, bare or data URL.

        Raises:
            LookupError: neither the result nor the hand-off has such a field.
            ValueError: the field is not base64.
        """
        text = {**self.handoff, **(self.result or {})}[name]
        return base64.b64decode(str(text).rpartition(",")[2], validate=True)


def view(row: Row) -> Verification:
    """Show a row to a producer."""
    return Verification(
        **{name: getattr(row, name) for name in Verification.__dataclass_fields__},
    )
