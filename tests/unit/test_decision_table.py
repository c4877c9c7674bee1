"""Every decision in one table, tests/unit/decisions.txt: what each event does to each row.

The tests in test_decide*.py explain single decisions; the table shows every change. After an
intended change of the rules, rewrite the table and review the difference:

    SATYAPAN_REWRITE_TABLE=1 python -m pytest tests/unit/test_decision_table.py
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from satyapan.kinds.model import Role
from satyapan.records import SETTLED, Row, State
from tests.support.decision_builders import KINDS, NOW, answered, journey, row, sent
from tests.support.written_decisions import outcome_of, recorded, written
from worker.rules.answer import Outcome
from worker.rules.calls import deferred
from worker.rules.decide import decide
from worker.rules.model import (
    Acquire,
    Acquired,
    Cached,
    Call,
    Event,
    Forgotten,
    Policy,
    Redriven,
    Reissued,
    VisitorWebhook,
    Woken,
)

TABLE: Final = Path(__file__).with_name("decisions.txt")
POLICY: Final = Policy(max_attempts=3, max_generations=2, lost_answer={"passport": "park"})
HOUR: Final = 3_600_000
LATE: Final = 4_200_000
HALF: Final = {"status": "AUTHENTICATED", "documents": {"AADHAAR": {"uid": "x"}}}


def rows(kind: str) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a kind that the rules treat differently, with their names."""
    yield "fresh", row(kind, tries=3)
    yield "fresh, deadline over", row(kind, deadline=NOW)
    yield "fresh, five workers lost", row(kind, crashes=5)
    yield "fresh, four workers lost", row(kind, crashes=4)
    yield "sent, five workers lost", sent(kind, crashes=5)
    yield "sent", sent(kind, reason="quota")
    yield "sent, ambiguous", sent(kind, attempts=2, ambiguous=1, tries=1)
    yield (
        "sent, ambiguous, last generation",
        sent(kind, ambiguous=1, generation=2, generations=("2",)),
    )
    unknown = replace(sent(kind, ambiguous=1, tries=30), state=State.UNKNOWN)
    yield "unknown", unknown
    yield "unknown, missed once", replace(unknown, misses=1)
    yield "unknown, attempts spent", replace(unknown, attempts=3, misses=1)
    yield "unknown, deadline over", replace(unknown, deadline=NOW)
    yield "unknown, last generation", replace(unknown, generation=2, generations=("2",))
    parked = replace(unknown, state=State.PARKED, reason="unknown_outcome")
    yield "parked", parked
    new = replace(
        parked, ambiguous=0, reason="unknown_status", status="NEW", draft={"status": "NEW"}
    )
    yield "parked, unknown status", new
    yield "parked, not ambiguous", replace(parked, ambiguous=0)
    yield "parked, lost answer", replace(parked, reason="lost_answer")
    yield "parked, last generation", replace(parked, generation=2, generations=("2",))
    yield "done", replace(parked, state=State.DONE)


def stored_answers(status: str, before: Row) -> Iterator[tuple[str, Row]]:
    """Yield rows with a stored answer that were parked for its unknown status."""
    stored = replace(before, attempts=1, status="NEW", draft={"status": "NEW"})
    yield "stored answer, unknown status", stored
    yield (
        "stored answer, status known now",
        replace(stored, status=status, draft={"status": status}),
    )


def journeys() -> Iterator[tuple[str, Row]]:
    """Yield the rows of a journey whose link exists, with their names."""
    yield "pending", journey(reference="r", tries=2)
    yield "pending, polled often", journey(tries=30)
    yield "pending, deadline over", replace(journey(), deadline=NOW)
    known = journey(checked=NOW - 300, found_open=NOW - 1000, reason="quota")
    yield "pending, deadline over, read as open late", replace(known, deadline=NOW)
    yield "pending, long over", replace(journey(), deadline=NOW - HOUR)
    for status in ("AUTHENTICATED", "EXPIRED", "CONSENT_DENIED", "FAILED"):
        late = replace(journey(evidence=status), deadline=NOW - HOUR)
        yield f"pending, long over, evidence {status}", late
        yield f"pending, evidence {status}", journey(evidence=status)
    half = journey(todo=("PAN", "DRIVING_LICENSE"), draft=HALF, tries=1, status="AUTHENTICATED")
    yield "documents to fetch", half
    yield "last document to fetch", replace(half, todo=("PAN",))
    yield "only document to fetch", replace(half, todo=("PAN",), draft={"documents": {}})
    yield "documents to fetch, deadline over", replace(half, deadline=NOW)
    yield (
        "only document, deadline over",
        replace(half, todo=("PAN",), draft={"documents": {}}, deadline=NOW),
    )
    yield "parked journey", replace(half, state=State.PARKED, reason="unknown_status")


def visits() -> Iterator[tuple[str, Row]]:
    """Yield the rows of a visitor of a shared link, with their names."""
    visit = replace(journey(parent="v0"), kind="static_kyc_link", link="", reference="r")
    yield "visit", visit
    yield "visit, deadline over", replace(visit, deadline=NOW, draft={"a": 1})
    yield "parked visit", replace(visit, state=State.PARKED, reason="workers_lost")
    yield from stored_answers("ACTIVE", row("static_kyc_link"))


def events(before: Row) -> Iterator[tuple[str, Event]]:
    """Yield the events that are possible for a row in this state, with their names."""
    yield "woken", Woken()
    if before.state is State.PARKED:
        yield from (("redriven", Redriven()), ("reissued", Reissued("asha")))
        yield "forgotten", Forgotten()
    if before.state in SETTLED:
        return
    if before.parent:
        yield "webhook about a step", VisitorWebhook(State.PENDING, "STEP", "", {"b": 1})
        yield "webhook about the end", VisitorWebhook(State.DONE, "SUCCESS", "new", {"b": 2})
    elif before.state is State.SENT:
        yield from answers(Role.CREATE, before)
    elif before.todo:
        yield from answers(Role.DOCUMENT, before)
    elif before.kind == "digilocker" and before.state in {State.PENDING, State.UNKNOWN}:
        yield from answers(Role.STATUS, before)
    elif before.kind == "static_kyc_link":
        yield "acquired", Acquired()
        yield "cached", Cached("ACTIVE", "ref", "https://l", {"static_link": "https://l"})


def answers(role: Role, before: Row) -> Iterator[tuple[str, Event]]:
    """Yield the answers of a route, with their names."""
    for outcome in Outcome:
        if outcome is not Outcome.OK:
            parts: dict[str, Any] = {"http": 499, "code": "code", "not_before_s": 5.0}
            parts |= {"refused_field": "field", "reference": "ref"}
            yield f"{role} {outcome}", answered(outcome, role, item="PAN", **parts)
    for name, body in bodies(role, before):
        event = answered(Outcome.OK, role, item="PAN", http=200, reference="ref", body=body)
        yield f"{role} ok {name}", event


def bodies(role: Role, before: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the bodies of a route's successful answers, with their names."""
    if role is Role.DOCUMENT:
        yield "document", {"pan": "y", "status": "SUCCESS"}
    elif role is Role.STATUS:
        consent = ["PAN", "PAN", "AADHAAR", 7, "a b"]
        for status in ("PENDING", "AUTHENTICATED", "EXPIRED", "CONSENT_DENIED", "FAILED", "NEW"):
            yield status, {"status": status, "document_consent": consent}
        yield "AUTHENTICATED, null", {"status": "AUTHENTICATED", "document_consent": None}
    else:
        good = {"passport": "INVALID", "digilocker": "PENDING", "static_kyc_link": "ACTIVE"}
        for status in (good[before.kind], "NEW"):
            yield status, {"status": status, "url": "https://u", "static_link": "https://l"}


def lines() -> Iterator[str]:
    """Write the table."""
    for kind in ("passport", "digilocker", "static_kyc_link"):
        kind_rows = {"digilocker": journeys, "static_kyc_link": visits}
        stored = stored_answers("VALID", row("passport"))
        for name, before in [*rows(kind), *(kind_rows[kind]() if kind in kind_rows else stored)]:
            for event_name, event in events(before):
                yield f"{kind} | {name} | {event_name} | {outcome_of(before, event, POLICY)}"
                if event == Woken():
                    yield from (f"{kind} | {name} | {wait}" for wait in waits(before))
    lost = sent("passport", ambiguous=1)
    for policy in ("park", "fail", "reissue"):
        followed = replace(POLICY, lost_answer={"passport": policy})
        duplicate = answered(Outcome.DUPLICATE)
        yield f"passport | lost, policy {policy} | {outcome_of(lost, duplicate, followed)}"


def waits(before: Row) -> Iterator[str]:
    """Write the deferrals of a woken row whose call, or whose shared link, has to wait."""
    after, effects = decide(before, Woken(), NOW, KINDS[before.kind], Policy(max_attempts=3))
    if any(isinstance(each, Call | Acquire) for each in effects):
        for name, wait in (
            ("a slot", (NOW + 700, "quota")),
            ("the account", (NOW + 900, "account/x")),
        ):
            yield f"held for {name} | {written(before, deferred(after, *wait, NOW))} | no effects"


def test_no_decision_differs_from_the_table() -> None:
    table = "".join(f"{line}\n" for line in lines())

    assert table == recorded(TABLE, table)
