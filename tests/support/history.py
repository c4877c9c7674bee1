"""Record what a producer did and saw, and check it: a history checker in the style of Jepsen.

`judge` compares three sources: the `History` of a producer, the vendor's audit (what was paid for)
and the ledger's rows. It shares no rule with the code under test, only the invariants of
docs/architecture.md, as far as they are visible from outside.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from typing import Any, Final

from satyapan import Conflict, Unavailable, Verification, Verifications
from satyapan.events import Event
from satyapan.ids import generation_id, hashed_id
from satyapan.kinds import Registry
from satyapan.kinds.model import Mode
from satyapan.records import SETTLED, TERMINAL, Row, State
from tests.support.toy_stack import PLACES

REPEATABLE: Final = frozenset({"document"})
"""Charges that may happen again: a document is read. All others must happen once."""
_ENDS: Final = frozenset(state.lower() for state in SETTLED)
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Submit:
    """One submission. `outcome`: ok, conflict, or unknown (not confirmed, may be stored)."""

    id: str
    outcome: str
    payload: str
    resource: str = ""
    call: str = ""
    """What the vendor's audit calls its paid call, if that names no id of ours."""


@dataclass(frozen=True)
class Read:
    """The bytes of one read of a terminal verification."""

    id: str
    shown: bytes


@dataclass
class History:
    """Everything a producer did and saw. Threads may share it: they only append."""

    submits: list[Submit] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def submit(
        self, producer: Verifications, kind: str, request: Mapping[str, Any], verification_id: str
    ) -> str:
        """Submit, and record and return the outcome."""
        outcome = "ok"
        try:
            producer.submit(kind, request, verification_id=verification_id)
        except Unavailable:
            outcome = "unknown"
        except Conflict:
            outcome = "conflict"
        self.note(kind, request, verification_id, outcome)
        return outcome

    def note(
        self, kind: str, request: Mapping[str, Any], verification_id: str, outcome: str
    ) -> None:
        """Record a submission."""
        payload = json.dumps(request, sort_keys=True)
        resource = str(request.get("template_name", ""))
        call = request_name(request) if kind in unnamed() else ""
        self.submits.append(Submit(verification_id, outcome, payload, resource, call))

    def read(self, producer: Verifications, verification_id: str) -> Verification | None:
        """Read, and record the bytes if the state is terminal."""
        seen = producer.get(verification_id)
        if seen is not None and seen.terminal:
            shown = json.dumps(asdict(seen), sort_keys=True, default=str).encode()
            self.reads.append(Read(verification_id, shown))
        return seen

    def listen(self, producer: Verifications, group: str = "judge") -> None:
        """Record the events that are there."""
        self.events.extend(producer.events(group))

    def accepted(self) -> list[str]:
        """List the ids whose submission was confirmed, each once."""
        return list(dict.fromkeys(s.id for s in self.submits if s.outcome == "ok"))


@dataclass(frozen=True)
class Verdict:
    """Violations by invariant, and the figures of the run."""

    violations: Mapping[str, Sequence[str]]
    figures: Mapping[str, int]

    @property
    def good(self) -> bool:
        """Return True if nothing was violated."""
        return not self.violations

    def __str__(self) -> str:
        """Return the figures, and the first violations of each invariant."""
        figures = " ".join(f"{name}={number}" for name, number in self.figures.items())
        broken = [f"{name}: {found[:5]}" for name, found in self.violations.items()]
        return "; ".join([figures, *broken])


@dataclass(frozen=True)
class _Evidence:
    """The three sources, with lookups for the checks."""

    history: History
    audit: Sequence[Entry]
    rows: Mapping[str, Row]
    least_done: float

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """Map ids to what the audit calls their paid call, where that names no id of ours."""
        return {submit.id: submit.call for submit in self.history.submits if submit.call}

    @cached_property
    def resources(self) -> Mapping[str, str]:
        """Map ids to the template that they asked for."""
        return {submit.id: submit.resource for submit in self.history.submits if submit.resource}

    def vendor_ids(self, row: Row) -> list[str]:
        """List the vendor-side ids that a row may have used, before they are derived."""
        first = self.calls.get(row.id, row.id)
        return [first, *(generation_id(row.id, n) for n in range(2, row.generation + 1))]

    @cached_property
    def derived(self) -> Mapping[str, str]:
        """Map each id that an operation may derive for its own alphabet to the one before."""
        every = (name for row in self.rows.values() for name in self.vendor_ids(row))
        return {hashed_id(name): name for name in every}

    def name(self, vendor_id: str) -> str:
        """Return the vendor-side id before it was derived."""
        return self.derived.get(vendor_id, vendor_id)

    @cached_property
    def charges(self) -> Counter[str]:
        """Count the charges by vendor-side id, or by what the audit names instead."""
        paid = (entry for entry in self.audit if entry["charge"] not in REPEATABLE)
        return Counter(self.name(audit_name(entry)) for entry in paid)

    def paid_for(self, row: Row) -> list[str]:
        """List the charges of a row: its vendor-side ids, or its template."""
        names = [self.resources.get(row.id, ""), *self.vendor_ids(row)]
        return [name for name in names if self.charges[name]]


def judge(
    history: History,
    audit: Sequence[Entry],
    rows: Mapping[str, Row],
    *,
    least_done: float = 0.95,
) -> Verdict:
    """Check a finished run; `rows` by id, as they are at its end.

    `least_done` is the share of the accepted verifications that must be answered: a run without
    progress violates nothing and proves nothing.
    """
    evidence = _Evidence(history, audit, rows, least_done)
    found = {name: list(check(evidence)) for name, check in CHECKS.items()}
    violations = {name: list(broken) for name, broken in found.items() if broken}
    return Verdict(violations, _figures(evidence))


def rows_of(producer: Verifications, ids: Iterable[str]) -> dict[str, Row]:
    """Read the rows of verifications, private fields included."""
    found = ((one, producer._ledger.read(one)) for one in dict.fromkeys(ids))
    return {one: row for one, row in found if row is not None}


def audit_name(entry: Entry) -> str:
    """Return what a charge is for: the vendor-side id, the template, or a digest."""
    return str(entry["verification_id"] or entry["detail"])


@cache
def unnamed() -> frozenset[str]:
    """Return the kinds whose paid call names neither an id of ours nor a shared resource."""
    kinds = [(kind.name, kind.operation("cashfree")) for kind in Registry.with_plugins(PLACES)]
    return frozenset(
        name
        for name, operation in kinds
        if not operation.create.id_param and operation.mode is not Mode.RESOURCE
    )


def request_name(request: Mapping[str, Any]) -> str:
    """Return what the audit calls a call without an id of ours: sandbox/README.md says how."""
    text = json.dumps(request, sort_keys=True)
    return f"request {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def own_entries(history: History, audit: Iterable[Entry], prefix: str) -> list[Entry]:
    """List the charges of a run among those of others, by its ids and their common prefix."""
    names = {name for submit in history.submits for name in _audit_names(submit)}
    return [
        entry for entry in audit if (name := audit_name(entry)) in names or name.startswith(prefix)
    ]


def _audit_names(submit: Submit) -> set[str]:
    """Return all that the audit may call the charges of a submission, further ids included."""
    ids = {generation_id(submit.id, number) for number in range(1, 10)}
    return {*ids, *map(hashed_id, ids), submit.resource, submit.call} - {""}


def _figures(evidence: _Evidence) -> dict[str, int]:
    states = Counter(row.state for row in evidence.rows.values())
    outcomes = Counter(submit.outcome for submit in evidence.history.submits)
    charges = evidence.charges
    accepted = evidence.history.accepted()
    lost = [i for i in accepted if i not in evidence.rows or _open(evidence.rows[i])]
    return {
        "accepted": len(accepted),
        "unconfirmed": outcomes["unknown"],
        "done": states[State.DONE],
        "parked": states[State.PARKED],
        "lost": len(lost),
        "charges": sum(charges.values()),
        "paid_twice": sum(1 for times in charges.values() if times > 1),
    }


def _open(row: Row) -> bool:
    return row.state not in SETTLED


def _lost(evidence: _Evidence) -> Iterator[str]:
    """I1: every accepted verification, and every row, is terminal or parked."""
    for one in evidence.history.accepted():
        if one not in evidence.rows:
            yield f"{one}: accepted, and no row"
    for row in evidence.rows.values():
        if _open(row):
            yield f"{row.id}: still {row.state} ({row.reason})"


def _paid_twice(evidence: _Evidence) -> Iterator[str]:
    """I2: one charge for each vendor-side id, and no more ids than generations."""
    for name, times in evidence.charges.items():
        if times > 1:
            yield f"{name}: {times} charges"


def _foreign(evidence: _Evidence) -> Iterator[str]:
    """I3: every charged id is a recorded generation of a row."""
    known = {name for row in evidence.rows.values() for name in evidence.vendor_ids(row)}
    known |= {submit.resource for submit in evidence.history.submits}
    for name in evidence.charges:
        if name not in known:
            yield f"{name}: paid for, and no row has it"
    for row in evidence.rows.values():
        recorded = [evidence.name(record.split()[-1]) for record in row.generations]
        if recorded != evidence.vendor_ids(row)[1:]:
            yield f"{row.id}: generation {row.generation}, recorded {recorded}"


def _not_written_ahead(evidence: _Evidence) -> Iterator[str]:
    """I4: every charge has an attempt in the ledger."""
    charges = evidence.charges
    for row in evidence.rows.values():
        if charges[evidence.vendor_ids(row)[-1]] and not row.attempts:
            yield f"{row.id}: charged, and no attempt on record"


def _guessed(evidence: _Evidence) -> Iterator[str]:
    """I5: a paid call is never reported as unsent; there is no answer without a call."""
    for row in evidence.rows.values():
        paid = evidence.paid_for(row)
        unsent = row.state is State.REFUSED or (row.state, row.reason) == (State.FAILED, "deadline")
        if paid and unsent:
            yield f"{row.id}: {row.state}, and {paid} was executed"
        if row.state is State.DONE and not row.parent and not paid:
            yield f"{row.id}: DONE, and nothing was executed"
    yield from _not_its_own(evidence)


def _not_its_own(evidence: _Evidence) -> Iterator[str]:
    """An answer belongs to the call of its own id, by the vendor's reference."""
    named = (entry for entry in evidence.audit if entry["reference_id"])
    references = {evidence.name(audit_name(e)): str(e["reference_id"]) for e in named}
    for row in evidence.rows.values():
        expected = references.get(evidence.vendor_ids(row)[-1])
        if row.state is State.DONE and expected and row.reference != expected:
            yield f"{row.id}: DONE with the answer to another call"


def _changed(evidence: _Evidence) -> Iterator[str]:
    """I6: terminal is final: the same bytes on every read, and one end event."""
    shown: dict[str, set[bytes]] = defaultdict(set)
    for read in evidence.history.reads:
        shown[read.id].add(read.shown)
    for one, versions in shown.items():
        if len(versions) > 1:
            yield f"{one}: {len(versions)} different answers"
    yield from _other_events(evidence)


def _other_events(evidence: _Evidence) -> Iterator[str]:
    """The stream has one end for each id; a repeated event has the same event id."""
    ends: dict[str, dict[str, str]] = defaultdict(dict)
    for event in evidence.history.events:
        if event.name in _ENDS:
            ends[event.verification_id][event.id] = event.name
    for row in evidence.rows.values():
        named = list(ends[row.id].values())
        if row.state in SETTLED and named != [row.state.lower()]:
            yield f"{row.id}: is {row.state}, events say {named}"


def _mixed_payloads(evidence: _Evidence) -> Iterator[str]:
    """I8: one id never stands for two payloads."""
    payloads: dict[str, set[str]] = defaultdict(set)
    for submit in evidence.history.submits:
        if submit.outcome == "ok":
            payloads[submit.id].add(submit.payload)
    for one, found in payloads.items():
        if len(found) > 1:
            yield f"{one}: accepted with {len(found)} payloads"


def _idle(evidence: _Evidence) -> Iterator[str]:
    """A run without progress proves nothing."""
    accepted = evidence.history.accepted()
    done = sum(1 for one in accepted if one in evidence.rows and _answered(evidence.rows[one]))
    needed = evidence.least_done * max(1, len(accepted))
    if done < needed:
        yield f"only {done} of {len(accepted)} accepted were answered"


def _answered(row: Row) -> bool:
    return row.state in TERMINAL and row.state is not State.LOST


CHECKS: Final[Mapping[str, Callable[[_Evidence], Iterator[str]]]] = {
    "I1 lost": _lost,
    "I2 paid twice": _paid_twice,
    "I3 id without record": _foreign,
    "I4 not written ahead": _not_written_ahead,
    "I5 guessed": _guessed,
    "I6 not final": _changed,
    "I8 mixed up": _mixed_payloads,
    "no progress": _idle,
}
