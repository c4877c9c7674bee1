"""A row counts a call when the call is admitted, not when it is decided or deferred."""

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
LINK_EVENTS: Final[tuple[Event, ...]] = (Acquired(), Cached("", "", "", {}))
REQUESTED_READS: Final = ("", "first", "again")
STATUSES: Final = (
    "PENDING",
    "AUTHENTICATED",
    "EXPIRED",
    "CONSENT_DENIED",
    "VALID",
    "ACTIVE",
    "NEW",
)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Draw a claimed row in any state, also one that no sequence of events produces."""
    counts = {
        name: draw(st.integers(0, 3)) for name in ("attempts", "ambiguous", "misses", "tries")
    }
    changes: dict[str, Any] = {
        "state": draw(st.sampled_from(OPEN)),
        "deadline": NOW + draw(st.sampled_from((-DAY, 0, 500, DAY))),
        "link": draw(st.sampled_from(("", "https://l"))),
        "todo": draw(st.sampled_from(((), ("PAN",), ("PAN", "AADHAAR")))),
        "draft": draw(st.sampled_from((None, {"documents": {}}, {"status": "VALID"}))),
        "crashes": draw(st.sampled_from((0, 4))),
        "checked": NOW - 5_000,
        "asks": draw(st.integers(0, 3)),
    }
    kind = draw(st.sampled_from(("passport", "digilocker", "static_kyc_link")))
    asks = {name: draw(st.sampled_from(REQUESTED_READS)) for name in ("ask", "asking")}
    return row(kind, **counts, **changes, **asks)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Draw an answer from any route."""
    body = {"status": draw(st.sampled_from(STATUSES)), "url": "https://l"}
    consent = {"document_consent": draw(st.sampled_from((None, ["PAN"], ["PAN", "AADHAAR"])))}
    return Answer(outcome=draw(st.sampled_from(Outcome)), http=200, body={**body, **consent})


@given(current=rows(), data=st.data())
def test_neither_a_decision_nor_a_deferral_counts_a_call_as_sent(
    current: Row, data: st.DataObject
) -> None:
    possible: list[Event] = [Woken()]
    if current.state is State.SENT:
        possible.append(Answered(Role.CREATE, data.draw(answers())))
    event: Event = data.draw(st.sampled_from(possible))
    for _ in range(8):
        after, effects = decision(current, event)
        if Acquire() in effects:
            event = data.draw(st.sampled_from(LINK_EVENTS))
            continue
        call = next((each for each in effects if isinstance(each, Call)), None)
        if call is None:
            return
        assert_not_counted(current, after)
        assert_only_waits(after, data.draw(st.integers(NOW - 1, NOW + 2 * DAY)))
        current = admitted(after, call, NOW)
        assert (current.state is State.SENT) == (call.role is Role.CREATE)
        event = Answered(call.role, data.draw(answers()), call.item)


def assert_not_counted(before: Row, after: Row) -> None:
    """Check that a row whose call is only decided doesn't count the call."""
    assert after.state is not State.SENT
    assert (after.attempts, after.ambiguous) == (before.attempts, before.ambiguous)
    assert (after.checked, after.asks) == (before.checked, before.asks)


def assert_only_waits(current: Row, until: int) -> None:
    """Check that a deferral changes only the state, the due time and the reason of a row."""
    after = deferred(current, until, "quota", NOW)
    known = State.UNKNOWN if current.ambiguous else State.ACCEPTED
    state = known if current.state is State.CLAIMED else current.state

    assert after == replace(current, state=state, due=after.due, reason="quota")
    assert after.due == (min(until, current.deadline) if current.deadline > NOW else until)


@given(current=rows(), call=st.builds(Call, st.sampled_from(Role)))
def test_admission_changes_only_the_fields_of_the_calls_role(current: Row, call: Call) -> None:
    counted = {
        Role.CREATE: {"state", "attempts", "misses"},
        Role.STATUS: {"checked", "ask", "asking", "asks"},
        Role.DOCUMENT: {"checked"},
    }

    after = admitted(current, call, NOW)

    changed = {f.name for f in fields(Row) if getattr(current, f.name) != getattr(after, f.name)}
    assert changed <= counted[call.role]


@pytest.mark.parametrize("state", [State.CLAIMED, State.UNKNOWN])
def test_a_create_counts_as_sent_once_it_is_admitted(state: State) -> None:
    after = admitted(row("passport", state=state, attempts=1, misses=2), Call(Role.CREATE), NOW)

    assert (after.state, after.attempts, after.misses) == (State.SENT, 2, 0)


def test_an_admitted_read_records_its_time_and_the_request_that_it_serves() -> None:
    poll = admitted(journey(), Call(Role.STATUS), NOW)
    asked = admitted(journey(ask="first", asking="again", asks=1), Call(Role.STATUS), NOW)
    repeated = admitted(journey(asking="again", asks=1), Call(Role.STATUS), NOW)
    document = admitted(journey(todo=("PAN",), ask="first"), Call(Role.DOCUMENT, "PAN"), NOW)

    assert (poll.checked, poll.ask, poll.asking, poll.asks) == (NOW, "", "", 0)
    assert (asked.checked, asked.ask, asked.asking, asked.asks) == (NOW, "", "first", 2)
    assert (repeated.ask, repeated.asking, repeated.asks) == ("", "again", 2)
    assert (document.checked, document.ask, document.asks) == (NOW, "first", 0)


def test_a_deferred_read_after_an_ambiguous_create_adds_no_ambiguous_attempt() -> None:
    duplicate = answered(Outcome.DUPLICATE, http=409)

    after, effects = decision(sent("digilocker", ambiguous=1, attempts=2), duplicate)
    waiting = deferred(after, NOW + 700, "quota", NOW)

    assert effects == (Call(Role.STATUS),)
    assert (waiting.state, waiting.reason, waiting.due) == (State.UNKNOWN, "quota", NOW + 700)
    assert (waiting.ambiguous, waiting.attempts) == (1, 2)


def test_a_deferred_create_keeps_the_result_of_the_read_before_it() -> None:
    missed = replace(sent("digilocker", ambiguous=1, misses=1), state=State.UNKNOWN)

    after, effects = decision(missed, answered(Outcome.MISSING, Role.STATUS, http=404))
    waiting = deferred(after, NOW + 700, "quota", NOW)

    assert effects == (Call(Role.CREATE),)
    assert (waiting.state, waiting.misses, waiting.attempts) == (State.UNKNOWN, 2, 1)


@pytest.mark.parametrize(
    ("until", "due"), [(NOW + 700, NOW + 700), (NOW + 2 * DAY, NOW + DAY), (NOW - 1, NOW - 1)]
)
def test_a_deferred_row_is_due_at_the_given_time_but_not_after_its_deadline(
    until: int, due: int
) -> None:
    after = deferred(row("passport"), until, "quota", NOW)

    assert (after.state, after.due, after.reason) == (State.ACCEPTED, due, "quota")


def test_a_row_past_its_deadline_is_deferred_for_the_whole_wait() -> None:
    """The vendor must still be asked how the journey ended."""
    after = deferred(journey(), NOW + 2 * DAY, "quota", NOW + DAY)

    assert (after.state, after.due) == (State.PENDING, NOW + 2 * DAY)
