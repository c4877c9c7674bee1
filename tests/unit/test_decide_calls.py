"""What a row says of its call: nothing before it is admitted, nothing where it isn't."""

from dataclasses import fields, replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.kinds.model import Role
from satyapan.records import SETTLED, Row, State
from tests.support.decision_builders import DAY, NOW, answered, decision, journey, row, sent
from worker.rules.answer import Answer, Outcome
from worker.rules.calls import admitted, deferred
from worker.rules.model import Acquire, Acquired, Answered, Cached, Call, Event, Woken

OPEN: Final = sorted({*State} - SETTLED)
FOUND: Final[tuple[Event, ...]] = (Acquired(), Cached("", "", "", {}))
ASKS: Final = ("", "first", "again")
WORDS: Final = ("PENDING", "AUTHENTICATED", "EXPIRED", "CONSENT_DENIED", "VALID", "ACTIVE", "NEW")


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Draw a claimed row in any state, also one that no story leads to."""
    counts = {name: draw(st.integers(0, 3)) for name in ("attempts", "doubts", "misses", "tries")}
    changes: dict[str, Any] = {
        "state": draw(st.sampled_from(OPEN)),
        "deadline": NOW + draw(st.sampled_from((-DAY, 0, 500, DAY))),
        "link": draw(st.sampled_from(("", "https://l"))),
        "todo": draw(st.sampled_from(((), ("PAN",), ("PAN", "AADHAAR")))),
        "draft": draw(st.sampled_from((None, {"documents": {}}, {"status": "VALID"}))),
        "crashes": draw(st.sampled_from((0, 4))),
        "looked": NOW - 5_000,
        "asks": draw(st.integers(0, 3)),
    }
    kind = draw(st.sampled_from(("passport", "digilocker", "static_kyc_link")))
    asks = {name: draw(st.sampled_from(ASKS)) for name in ("ask", "asking")}
    return row(kind, **counts, **changes, **asks)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Draw an answer of any route."""
    body = {"status": draw(st.sampled_from(WORDS)), "url": "https://l"}
    consent = {"document_consent": draw(st.sampled_from((None, ["PAN"], ["PAN", "AADHAAR"])))}
    return Answer(outcome=draw(st.sampled_from(Outcome)), http=200, body={**body, **consent})


@given(of=rows(), data=st.data())
def test_no_decision_marks_a_row_with_a_call_and_no_deferral_says_that_it_was_sent(
    of: Row, data: st.DataObject
) -> None:
    first: list[Event] = [Woken()]
    if of.state is State.SENT:
        first.append(Answered(Role.CREATE, data.draw(answers())))
    event: Event = data.draw(st.sampled_from(first))
    for _ in range(8):
        after, effects = decision(of, event)
        if Acquire() in effects:
            event = data.draw(st.sampled_from(FOUND))
            continue
        call = next((each for each in effects if isinstance(each, Call)), None)
        if call is None:
            return
        unmarked(of, after)
        waits_only(after, data.draw(st.integers(NOW - 1, NOW + 2 * DAY)))
        of = admitted(after, call, NOW)
        assert (of.state is State.SENT) == (call.role is Role.CREATE)
        event = Answered(call.role, data.draw(answers()), call.item)


def unmarked(before: Row, after: Row) -> None:
    """Require that a row beside a call counts it nowhere."""
    assert after.state is not State.SENT
    assert (after.attempts, after.doubts) == (before.attempts, before.doubts)
    assert (after.looked, after.asks) == (before.looked, before.asks)


def waits_only(of: Row, until: int) -> None:
    """Require that a row whose call isn't admitted changes in nothing but its wait."""
    after = deferred(of, until, "quota", NOW)
    known = State.UNKNOWN if of.doubts else State.ACCEPTED
    state = known if of.state is State.CLAIMED else of.state

    assert after == replace(of, state=state, due=after.due, reason="quota")
    assert after.due == (min(until, of.deadline) if of.deadline > NOW else until)


@given(of=rows(), call=st.builds(Call, st.sampled_from(Role)))
def test_admission_marks_what_a_call_of_that_role_counts_and_nothing_else(
    of: Row, call: Call
) -> None:
    marks = {
        Role.CREATE: {"state", "attempts", "misses"},
        Role.STATUS: {"looked", "ask", "asking", "asks"},
        Role.DOCUMENT: {"looked"},
    }

    after = admitted(of, call, NOW)

    changed = {f.name for f in fields(Row) if getattr(of, f.name) != getattr(after, f.name)}
    assert changed <= marks[call.role]


@pytest.mark.parametrize("state", [State.CLAIMED, State.UNKNOWN])
def test_a_create_is_sent_once_it_is_admitted(state: State) -> None:
    after = admitted(row("passport", state=state, attempts=1, misses=2), Call(Role.CREATE), NOW)

    assert (after.state, after.attempts, after.misses) == (State.SENT, 2, 0)


def test_a_read_notes_when_and_for_whom_once_it_is_admitted() -> None:
    poll = admitted(journey(), Call(Role.STATUS), NOW)
    asked = admitted(journey(ask="first", asking="again", asks=1), Call(Role.STATUS), NOW)
    repeated = admitted(journey(asking="again", asks=1), Call(Role.STATUS), NOW)
    document = admitted(journey(todo=("PAN",), ask="first"), Call(Role.DOCUMENT, "PAN"), NOW)

    assert (poll.looked, poll.ask, poll.asking, poll.asks) == (NOW, "", "", 0)
    assert (asked.looked, asked.ask, asked.asking, asked.asks) == (NOW, "", "first", 2)
    assert (repeated.ask, repeated.asking, repeated.asks) == ("", "again", 2)
    assert (document.looked, document.ask, document.asks) == (NOW, "first", 0)


def test_a_read_that_waits_for_quota_while_a_create_is_in_doubt_adds_no_doubt() -> None:
    duplicate = answered(Outcome.DUPLICATE, http=409)

    after, effects = decision(sent("digilocker", doubts=1, attempts=2), duplicate)
    waiting = deferred(after, NOW + 700, "quota", NOW)

    assert effects == (Call(Role.STATUS),)
    assert (waiting.state, waiting.reason, waiting.due) == (State.UNKNOWN, "quota", NOW + 700)
    assert (waiting.doubts, waiting.attempts) == (1, 2)


def test_a_create_that_waits_keeps_what_the_read_before_it_said() -> None:
    missed = replace(sent("digilocker", doubts=1, misses=1), state=State.UNKNOWN)

    after, effects = decision(missed, answered(Outcome.MISSING, Role.STATUS, http=404))
    waiting = deferred(after, NOW + 700, "quota", NOW)

    assert effects == (Call(Role.CREATE),)
    assert (waiting.state, waiting.misses, waiting.attempts) == (State.UNKNOWN, 2, 1)


@pytest.mark.parametrize(
    ("until", "due"), [(NOW + 700, NOW + 700), (NOW + 2 * DAY, NOW + DAY), (NOW - 1, NOW - 1)]
)
def test_a_row_that_has_to_wait_is_due_then_but_never_after_its_deadline(
    until: int, due: int
) -> None:
    after = deferred(row("passport"), until, "quota", NOW)

    assert (after.state, after.due, after.reason) == (State.ACCEPTED, due, "quota")


def test_a_row_whose_deadline_passed_waits_as_long_as_it_has_to() -> None:
    """The vendor still has to be asked how the journey ended."""
    after = deferred(journey(), NOW + 2 * DAY, "quota", NOW + DAY)

    assert (after.state, after.due) == (State.PENDING, NOW + 2 * DAY)
