"""The decisions of every mode with every recovery, in tests/unit/decisions_by_mode.txt.

test_decision_table.py has the shipped kinds in detail; here a made-up kind for each mode and
recovery meets every meaning that an answer can have. Rewrite it as that one.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final

from satyapan.kinds import Kind
from satyapan.kinds.model import Mode, Recovery, Role
from satyapan.records import Row, State
from tests.support.decision_builders import NOW, answered, row, sent
from tests.support.made_up_kinds import MADE_UP, STATUSES
from tests.support.written_decisions import outcome_of, recorded
from worker.rules.answer import Outcome
from worker.rules.model import Event, Policy, Redriven, Reissued, Woken

TABLE: Final = Path(__file__).with_name("decisions_by_mode.txt")
POLICY: Final = Policy(max_attempts=3, max_generations=2)


def rows(kind: Kind) -> Iterator[tuple[str, Row]]:
    """Yield the rows that the rules treat differently, with their names."""
    mode = kind.operation("cashfree").mode
    yield "fresh", row(kind.name)
    first = sent(kind.name)
    yield "sent", first
    yield "sent, ambiguous", replace(first, attempts=2, ambiguous=1, tries=1)
    unknown = replace(first, state=State.UNKNOWN, ambiguous=1, tries=1)
    yield "unknown", unknown
    yield "unknown, reference named", replace(unknown, reference="7")
    yield "unknown, reference named, missed once", replace(unknown, reference="7", misses=1)
    yield "unknown, deadline over", replace(unknown, reference="7", deadline=NOW)
    parked = replace(unknown, state=State.PARKED, reason="unknown_outcome")
    yield "parked", parked
    yield "parked, reference named", replace(parked, reference="7")
    if mode is not Mode.JOURNEY:
        new = replace(parked, reason="unknown_status", status="NEW", draft={"status": "NEW"})
        yield "parked, unknown status", new
        yield "parked, unknown status, not ambiguous", replace(new, ambiguous=0)
    if mode in {Mode.ASYNC, Mode.JOURNEY}:
        link = "https://l" if mode is Mode.JOURNEY else ""
        pending = replace(first, state=State.PENDING, status="WAIT", reference="7", link=link)
        yield "pending", pending
        yield "pending, deadline over", replace(pending, deadline=NOW)
        yield "parked, pending", replace(pending, state=State.PARKED, reason="still_pending")


def events(before: Row) -> Iterator[tuple[str, Event]]:
    """Yield the events that are possible for a row in this state, with their names."""
    yield "woken", Woken()
    if before.state is State.PARKED:
        yield from (("redriven", Redriven()), ("reissued", Reissued("asha")))
    elif before.state is State.SENT:
        yield from answers(Role.CREATE)
    elif before.state in {State.PENDING, State.UNKNOWN}:
        yield from answers(Role.STATUS)


def answers(role: Role) -> Iterator[tuple[str, Event]]:
    """Yield the answers of a route, with their names: every meaning, and every state."""
    for outcome in Outcome:
        if outcome is not Outcome.OK:
            parts: dict[str, Any] = {"http": 499, "code": "code"}
            yield f"{role} {outcome}", answered(outcome, role, **parts)
            if outcome in {Outcome.UNKNOWN, Outcome.STOPPED}:
                named = answered(outcome, role, reference="9", **parts)
                yield f"{role} {outcome}, reference named", named
    for status in (*STATUSES, "NEW"):
        body = {"status": status, "link": "https://l"}
        good = answered(Outcome.OK, role, http=200, reference="9", body=body)
        yield f"{role} ok {status}", good


def lines() -> Iterator[str]:
    """Write the table."""
    for kind in MADE_UP:
        for name, before in rows(kind):
            for event_name, event in events(before):
                outcome = outcome_of(before, event, POLICY)
                yield f"{kind.name} | {name} | {event_name} | {outcome}"


def test_no_decision_differs_from_the_table() -> None:
    table = "".join(f"{line}\n" for line in lines())

    assert table == recorded(TABLE, table)


def test_the_table_has_every_mode_recovery_and_meaning() -> None:
    table = TABLE.read_text(encoding="utf-8")

    for mode, recovery, outcome in product(Mode, Recovery, Outcome):
        assert f"{mode}/{recovery} | sent | create {outcome}" in table
