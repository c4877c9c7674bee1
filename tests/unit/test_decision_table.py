"""Every decision in one table, tests/unit/decisions.txt: what each event makes of each row.

The stories beside this file say why; the table says that nothing else changed. After a change of
the rules that is meant, write it anew and read the difference:

    SATYAPAN_REWRITE_TABLE=1 python -m pytest tests/unit/test_decision_table.py
"""

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from satyapan.kinds.model import Role
from satyapan.records import SETTLED, Row, State
from tests.support.decision_builders import KINDS, NOW, answered, journey, row, sent
from worker.rules.answer import Outcome
from worker.rules.calls import admitted, deferred
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
from worker.rules.person import ActionRefused

TABLE: Final = Path(__file__).with_name("decisions.txt")
HOUR: Final = 3_600_000
LATE: Final = 4_200_000
HALF: Final = {"status": "AUTHENTICATED", "documents": {"AADHAAR": {"uid": "x"}}}


def rows(kind: str) -> Iterator[tuple[str, Row]]:
    """Name the rows of a kind that differ for the rules."""
    yield "fresh", row(kind, tries=3)
    yield "fresh, deadline over", row(kind, deadline=NOW)
    yield "fresh, five workers lost", row(kind, crashes=5)
    yield "fresh, four workers lost", row(kind, crashes=4)
    yield "sent", sent(kind, reason="quota")
    yield "sent, in doubt", sent(kind, attempts=2, doubts=1, tries=1)
    yield "sent, in doubt, last generation", sent(kind, doubts=1, generation=2, generations=("2",))
    unknown = replace(sent(kind, doubts=1, tries=30), state=State.UNKNOWN)
    yield "unknown", unknown
    yield "unknown, missed once", replace(unknown, misses=1)
    yield "unknown, attempts spent", replace(unknown, attempts=3, misses=1)
    yield "unknown, deadline over", replace(unknown, deadline=NOW)
    yield "unknown, last generation", replace(unknown, generation=2, generations=("2",))
    parked = replace(unknown, state=State.PARKED, reason="unknown_outcome")
    yield "parked", parked
    new = replace(parked, doubts=0, reason="unknown_status", status="NEW", draft={"status": "NEW"})
    yield "parked, new word", new
    yield "parked, no doubt", replace(parked, doubts=0)
    yield "parked, answer lost", replace(parked, reason="lost_answer")
    yield "parked, last generation", replace(parked, generation=2, generations=("2",))
    yield "done", replace(parked, state=State.DONE)


def answers_here(word: str, of: Row) -> Iterator[tuple[str, Row]]:
    """Name the rows whose answer is here, and was parked for its word."""
    here = replace(of, attempts=1, status="NEW", draft={"status": "NEW"})
    yield "answer here, new word", here
    yield "answer here, word known now", replace(here, draft={"status": word})


def journeys() -> Iterator[tuple[str, Row]]:
    """Name the rows of a journey that is on its way."""
    yield "pending", journey(reference="r", tries=2)
    yield "pending, polled long", journey(tries=30)
    yield "pending, deadline over", replace(journey(), deadline=NOW)
    known = journey(looked=NOW - 300, found_open=NOW - 1000, reason="quota")
    yield "pending, deadline over, found open late", replace(known, deadline=NOW)
    yield "pending, long over", replace(journey(), deadline=NOW - HOUR)
    for word in ("AUTHENTICATED", "EXPIRED", "CONSENT_DENIED", "FAILED"):
        late = replace(journey(evidence=word), deadline=NOW - HOUR)
        yield f"pending, long over, told {word}", late
        yield f"pending, told {word}", journey(evidence=word)
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
    """Name the rows of somebody who came by a shared link."""
    visit = replace(journey(parent="v0"), kind="static_kyc_link", link="", reference="r")
    yield "visit", visit
    yield "visit, deadline over", replace(visit, deadline=NOW, draft={"a": 1})
    yield "parked visit", replace(visit, state=State.PARKED, reason="workers_lost")
    yield from answers_here("ACTIVE", row("static_kyc_link"))


def events(of: Row) -> Iterator[tuple[str, Event]]:
    """Name the events that a row in this state can meet."""
    yield "woken", Woken()
    if of.state is State.PARKED:
        yield from (("redriven", Redriven()), ("reissued", Reissued("asha")))
        yield "forgotten", Forgotten()
    if of.state in SETTLED:
        return
    if of.parent:
        yield "told of a step", VisitorWebhook(State.PENDING, "STEP", "", {"b": 1})
        yield "told of the end", VisitorWebhook(State.DONE, "SUCCESS", "new", {"b": 2})
    elif of.state is State.SENT:
        yield from answers(Role.CREATE, of)
    elif of.todo:
        yield from answers(Role.DOCUMENT, of)
    elif of.kind == "digilocker" and of.state in {State.PENDING, State.UNKNOWN}:
        yield from answers(Role.STATUS, of)
    elif of.kind == "static_kyc_link":
        yield "acquired", Acquired()
        yield "cached", Cached("ACTIVE", "ref", "https://l", {"static_link": "https://l"})


def answers(role: Role, of: Row) -> Iterator[tuple[str, Event]]:
    """Name the answers of a route."""
    for outcome in Outcome:
        if outcome is not Outcome.OK:
            parts: dict[str, Any] = {"http": 499, "code": "code", "not_before_s": 5.0}
            parts |= {"refused_field": "field", "reference": "ref"}
            yield f"{role} {outcome}", answered(outcome, role, item="PAN", **parts)
    for name, body in bodies(role, of):
        said = answered(Outcome.OK, role, item="PAN", http=200, reference="ref", body=body)
        yield f"{role} ok {name}", said


def bodies(role: Role, of: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name the bodies of a route's good answers."""
    if role is Role.DOCUMENT:
        yield "document", {"pan": "y", "status": "SUCCESS"}
    elif role is Role.STATUS:
        for word in ("PENDING", "AUTHENTICATED", "EXPIRED", "CONSENT_DENIED", "FAILED", "NEW"):
            yield word, {"status": word, "document_consent": ["PAN", "PAN", "AADHAAR", 7, "a b"]}
        yield "AUTHENTICATED, null", {"status": "AUTHENTICATED", "document_consent": None}
    else:
        good = {"passport": "INVALID", "digilocker": "PENDING", "static_kyc_link": "ACTIVE"}
        for word in (good[of.kind], "NEW"):
            yield word, {"status": word, "url": "https://u", "static_link": "https://l"}


def lines() -> Iterator[str]:
    """Write the table."""
    for kind in ("passport", "digilocker", "static_kyc_link"):
        more = {"digilocker": journeys, "static_kyc_link": visits}
        here = answers_here("VALID", row("passport"))
        for name, of in [*rows(kind), *(more[kind]() if kind in more else here)]:
            for happened, event in events(of):
                yield f"{kind} | {name} | {happened} | {outcome_of(of, event, 'park')}"
                if event == Woken():
                    yield from (f"{kind} | {name} | {wait}" for wait in waits(of))
    lost = sent("passport", doubts=1)
    for policy in ("park", "fail", "reissue"):
        duplicate = answered(Outcome.DUPLICATE)
        yield f"passport | lost, policy {policy} | {outcome_of(lost, duplicate, policy)}"


def waits(of: Row) -> Iterator[str]:
    """Write what becomes of a woken row whose call, or whose turn at a shared link, has to wait."""
    after, effects = decide(of, Woken(), NOW, KINDS[of.kind], Policy(max_attempts=3))
    if any(isinstance(each, Call | Acquire) for each in effects):
        slot, account = ((NOW + 700, "quota"), (NOW + 900, "account/x"))
        yield f"held for a slot | {written(of, deferred(after, *slot, NOW))} | no effects"
        yield f"held for the account | {written(of, deferred(after, *account, NOW))} | no effects"


def outcome_of(of: Row, event: Event, policy: str) -> str:
    """Write one decision: the fields that changed, and the effects; a call as if admitted."""
    table = Policy(max_attempts=3, max_generations=2, lost_answer={"passport": policy})
    try:
        after, effects = decide(of, event, NOW, KINDS[of.kind], table, jitter=0.5)
    except ActionRefused as refused:
        return f"refused: {refused}"
    for call in (each for each in effects if isinstance(each, Call)):
        after = admitted(after, call, NOW)
    return f"{written(of, after)} | {', '.join(map(str, effects)) or 'no effects'}"


def written(of: Row, after: Row) -> str:
    """Write the fields that changed."""
    names = [field.name for field in fields(Row)]
    changed = [n for n in names if getattr(of, n) != getattr(after, n)]
    told = ", ".join(f"{name}={short(name, getattr(after, name))}" for name in changed)
    return told or "nothing"


def short(name: str, value: Any) -> str:
    """Write a value; times as they stand to now."""
    if name in {"due", "deadline", "looked", "found_open"} and value:
        return f"now{value - NOW:+d}"
    if isinstance(value, tuple):
        return str([str(part).replace(str(NOW), "now") for part in value])
    return str(value)


def test_no_decision_changed_unseen() -> None:
    table = "".join(f"{line}\n" for line in lines())
    if os.environ.get("SATYAPAN_REWRITE_TABLE"):
        TABLE.write_text(table, encoding="utf-8")

    assert table == TABLE.read_text(encoding="utf-8")
