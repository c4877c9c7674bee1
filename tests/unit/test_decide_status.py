"""The status word of a paid answer gives the state and, where nothing was found out, the reason."""

import pytest

from satyapan.kinds.model import Mode, Recovery
from satyapan.records import State
from tests.support.decision_builders import NOW, answered, sent
from tests.support.made_up_kinds import made_up
from worker.rules.answer import Outcome
from worker.rules.decide import decide
from worker.rules.model import Policy


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("VALID", State.DONE, ""),
        ("REJECTED", State.FAILED, "rejected"),
        ("LATE", State.EXPIRED, "late"),
    ],
)
@pytest.mark.parametrize("recovery", Recovery)
def test_an_answer_that_is_not_done_says_why(
    recovery: Recovery, status: str, state: State, reason: str
) -> None:
    kind = made_up(Mode.SYNC, recovery)
    answer = answered(Outcome.OK, http=200, body={"status": status})

    after, _ = decide(sent(kind.name), answer, NOW, kind, Policy())

    assert (after.state, after.status, after.reason) == (state, status, reason)
    assert after.result == {"status": status}
