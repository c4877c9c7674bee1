"""What came of it: each verification, how it ended, and what the vendor's own audit charged."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from satyapan import State, Verification

_READ: Final = "document "
_HEAD: Final = ("VERIFICATION", "KIND", "STATE", "STATUS", "CHARGED", "TOOK")


@dataclass(frozen=True)
class Outcome:
    """How one verification ended, and how it was meant to end.

    `buys` names what is paid for in it, as the sandbox's audit does: `passport`, or
    `document AADHAAR`. What it buys must be charged once, and nothing else at all; but a document
    is read, not bought: a worker that is killed before it could store one lets it be read again.
    """

    verification: Verification
    told: State
    buys: tuple[str, ...] = ()
    charges: Mapping[str, int] = field(default_factory=dict)
    label: str = ""

    @property
    def paid_once(self) -> bool:
        """Tell whether everything was charged that is paid for, and once."""
        once = {name: n for name, n in self.charges.items() if not name.startswith(_READ)}
        bought = [name for name in self.buys if not name.startswith(_READ)]
        return once == dict.fromkeys(bought, 1) and self.charges.keys() == set(self.buys)

    @property
    def as_told(self) -> bool:
        """Tell whether it ended as it was meant to, and was paid for once."""
        return self.verification.state is self.told and self.paid_once

    @property
    def took_s(self) -> float:
        """Give the seconds from its acceptance to its last change."""
        return (self.verification.updated - self.verification.created) / 1000

    def data(self) -> dict[str, Any]:
        """Describe it for programs."""
        return {
            "id": self.verification.id,
            "kind": self.verification.kind,
            "label": self.label,
            "state": self.verification.state,
            "status": self.verification.status,
            "reason": self.verification.reason,
            "charges": dict(self.charges),
            "paid_once": self.paid_once,
            "as_told": self.as_told,
            "took_s": self.took_s,
        }


def charges_of(audit: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Count an audit's charges by verification_id; a static link's stand under its template."""
    found: dict[str, Counter[str]] = {}
    for row in audit:
        own = row["verification_id"] or row["detail"]
        detail = f" {row['detail']}" if row["verification_id"] and row["detail"] else ""
        found.setdefault(own, Counter())[f"{row['charge']}{detail}"] += 1
    return {own: dict(counted) for own, counted in found.items()}


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Write the table."""
    rows = [_HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _row(outcome: Outcome) -> tuple[str, ...]:
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
    """Write what was charged; documents by their number, unless one was charged again."""
    again = [f"{name} {n} TIMES" for name, n in charges.items() if n > 1]
    once = [name for name, n in charges.items() if n == 1]
    documents = sum(name.startswith("document ") for name in once)
    others = [name for name in once if not name.startswith("document ")]
    counted = [f"{documents} document{'s' * (documents > 1)}"] if documents else []
    return ", ".join([*others, *counted, *again])
