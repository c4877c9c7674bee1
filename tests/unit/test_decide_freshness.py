"""A request with a time that the vendor accepts only for some minutes."""

from dataclasses import replace
from typing import Any

import pytest

from satyapan.kinds import Kind
from satyapan.kinds.fields import request
from satyapan.kinds.model import AnswerMeaning, Mode, Operation, Recovery, Role, Route
from satyapan.records import Row, State
from tests.support.decision_builders import NOW, answered, row, sent
from worker.rules.answer import Outcome
from worker.rules.decide import decide
from worker.rules.model import Call, Decision, Emit, Event, Policy, Woken

MINUTES = 60_000
CONSENTED = "2027-01-15T08:00:00Z"  # NOW
KIND = Kind(
    name="drop",
    title="A call that needs a fresh consent",
    request=request(),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "drop", "POST", "/drop", answers={(409, "repeated"): AnswerMeaning.DUPLICATE}
            ),
            status_map={"VALID": State.DONE},
            max_age_s={"user_consent.timestamp": 300},
        )
    },
    public_fields=(),
    result_fields=("status",),
)


def later(before: Row, minutes: float, event: Event) -> Decision:
    before = replace(before, request={"user_consent": {"timestamp": CONSENTED}})
    return decide(before, event, round(NOW + minutes * MINUTES), KIND, Policy(), jitter=1.0)


def test_a_fresh_request_is_sent() -> None:
    _, effects = later(row("drop"), 5, Woken())

    assert effects == (Call(Role.CREATE),)


@pytest.mark.parametrize("before", [row("drop"), row("drop", attempts=0, tries=3)])
def test_a_stale_request_ends_unpaid(before: Row) -> None:
    after, effects = later(before, 5.01, Woken())

    assert (after.state, after.reason) == (State.EXPIRED, "consent_stale")
    assert effects == (Emit("expired"),)


def test_a_stale_request_that_may_have_been_executed_is_parked() -> None:
    """A repeat would only be refused for its age."""
    unknown, _ = later(sent("drop"), 4, answered(Outcome.UNKNOWN, http=502, code="x"))

    after, _ = later(unknown, 6, Woken())

    assert (after.state, after.reason) == (State.PARKED, "unknown_outcome")


@pytest.mark.parametrize("said", [None, "soon", 7, {"a": 1}])
def test_a_time_that_cannot_be_read_is_left_to_the_vendor(said: Any) -> None:
    before = row("drop", request={"user_consent": {"timestamp": said}})

    _, effects = decide(before, Woken(), NOW + 60 * MINUTES, KIND, Policy())

    assert effects == (Call(Role.CREATE),)
