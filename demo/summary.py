"""The summary: how each verification ended, and what the vendor's own audit charged."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from satyapan import State, Verification

_READ: Final = "document "
_HEAD: Final = ("VERIFICATION", "KIND", "STATE", "STATUS", "CHARGED", "TOOK")


@dataclass(frozen=True)
class ScenarioOutcome:
    """How one verification ended, and how it was expected to end.

    `buys` names its expected charges as the sandbox's audit does: `passport`, or
    `document AADHAAR`. Each must be charged once, and nothing else. A document may be charged more
    than once: fetching it is a read, which is repeated after a worker is killed before the commit.
    """

    verification: Verification
    expected: State
    buys: tuple[str, ...] = ()
    charges: Mapping[str, int] = field(default_factory=dict)
    label: str = ""

    @property
    def paid_once(self) -> bool:
        """Return True if each expected charge was made once, and no other."""
        once = {name: n for name, n in self.charges.items() if not name.startswith(_READ)}
        bought = [name for name in self.buys if not name.startswith(_READ)]
        return once == dict.fromkeys(bought, 1) and self.charges.keys() == set(self.buys)

    @property
    def as_expected(self) -> bool:
        """Return True if it ended in the expected state and was charged once."""
        return self.verification.state is self.expected and self.paid_once

    @property
    def took_s(self) -> float:
        """Return the seconds from its acceptance to its last change."""
        return (self.verification.updated - self.verification.created) / 1000

    def data(self) -> dict[str, Any]:
        """Return the outcome as JSON data."""
        return {
            "id": self.verification.id,
            "kind": self.verification.kind,
            "label": self.label,
            "state": self.verification.state,
            "status": self.verification.status,
            "reason": self.verification.reason,
            "charges": dict(self.charges),
            "paid_once": self.paid_once,
            "as_expected": self.as_expected,
            "took_s": self.took_s,
        }


def audit_digest(request: Mapping[str, Any]) -> str:
    """Return what the audit names for a call without an id of the client: the request's digest.

    `sandbox/README.md` says how it is made. Two calls with the same request have the same one.
    """
    text = json.dumps(request, sort_keys=True)
    return f"request {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def charges_of(audit: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Count an audit's charges by the client's id.

    Where the vendor takes none, the audit names what stands in its place: the template of a static
    link, or the request's digest.
    """
    found: dict[str, Counter[str]] = {}
    for row in audit:
        own = row["verification_id"] or row["detail"]
        detail = f" {row['detail']}" if row["verification_id"] and row["detail"] else ""
        found.setdefault(own, Counter())[f"{row['charge']}{detail}"] += 1
    return {own: dict(counted) for own, counted in found.items()}


def lines(outcomes: Sequence[ScenarioOutcome]) -> Iterator[str]:
    """Return the lines of the table."""
    rows = [_HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _row(outcome: ScenarioOutcome) -> tuple[str, ...]:
    verification = outcome.verification
    charged = _charged(outcome.charges) or outcome.label or "nothing"
    took = f"{outcome.took_s:.1f} s"
    return (
        verification.id,
        verification.kind,
        verification.state,
        verification.status or verification.reason,
        charged,
        took,
    )


def _charged(charges: Mapping[str, int]) -> str:
    """Describe the charges; documents by their number, unless one was charged again."""
    again = [f"{name} {n} TIMES" for name, n in charges.items() if n > 1]
    once = [name for name, n in charges.items() if n == 1]
    documents = sum(name.startswith("document ") for name in once)
    others = [name for name in once if not name.startswith("document ")]
    counted = [f"{documents} document{'s' * (documents > 1)}"] if documents else []
    return ", ".join([*others, *counted, *again])
