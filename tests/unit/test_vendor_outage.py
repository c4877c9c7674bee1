"""How rows live through an outage of the vendor: the rules alone, on a clock that jumps."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from satyapan.kinds.model import Role
from satyapan.records import Row, State
from tests.support.decision_builders import DAY, KINDS, NOW, ok
from worker.rules.answer import Answer, Outcome
from worker.rules.calls import admitted
from worker.rules.decide import decide
from worker.rules.model import Answered, Call, Event, Policy, Woken

MINUTE, HOUR = 60_000, 3_600_000
CALL_MS = 300
ROWS = 100
LIVES = {"passport": State.DONE, "digilocker": State.PENDING}
"""Kinds by what their create call becomes: repeated under the same id, and read by it."""


@dataclass(frozen=True)
class Life:
    """The life of one row: how it ended, when each call was made, and how long after the outage."""

    row: Row
    calls: Sequence[int]
    late: int


def answer(role: Role, *, works: bool) -> Answer:
    """Answer as a vendor that fails executes nothing, and so later doesn't know the id."""
    if not works:
        return Answer(outcome=Outcome.UNKNOWN, http=502, code="verification_failed")
    if role is Role.STATUS:
        return Answer(outcome=Outcome.MISSING, http=404)
    return ok({"status": "VALID", "url": "https://u"})


def live(
    kind: str,
    outage: int,
    seed: int,
    policy: Policy,
    failing: Collection[Role] = tuple(Role),
    **changes: Any,
) -> Life:
    """Run one row from its submission, at which the outage begins, to its end or its link."""
    draws, now, calls = random.Random(seed), NOW, list[int]()
    row = Row(id="v", kind=kind, state=State.CLAIMED, created=NOW, deadline=NOW + DAY, due=NOW)
    row = replace(row, **changes)
    while row.due and row.state is not State.PENDING:
        now = max(now, row.due)
        event: Event | None = Woken()
        while event:
            row, effects = decide(row, event, now, KINDS[kind], policy, draws.random())
            call = next((each for each in effects if isinstance(each, Call)), None)
            event = None
            if call:
                row, now = admitted(row, call, now), now + CALL_MS
                calls.append(now)
                works = now >= NOW + outage or call.role not in failing
                event = Answered(call.role, answer(call.role, works=works))
    return Life(row, calls, now - NOW - outage)


def lives(kind: str, outage: int, policy: Policy | None = None) -> list[Life]:
    """Run many rows, each with its own jitter."""
    return [live(kind, outage, seed, policy or Policy()) for seed in range(ROWS)]


@pytest.mark.parametrize("kind", LIVES)
@pytest.mark.parametrize(
    ("outage", "usual", "longest"),
    [
        pytest.param(20_000, 20_000, MINUTE, id="20 s"),
        pytest.param(10 * MINUTE, 4 * MINUTE, 10 * MINUTE, id="10 min"),
        pytest.param(6 * HOUR, HOUR, 3 * HOUR, id="6 h"),
        pytest.param(20 * HOUR, HOUR, 3 * HOUR, id="20 h"),
    ],
)
def test_all_rows_end_soon_after_an_outage(
    kind: str, outage: int, usual: int, longest: int
) -> None:
    ended = lives(kind, outage)

    assert {(one.row.state, one.row.reason) for one in ended} == {(LIVES[kind], "")}
    assert max(one.row.attempts for one in ended) <= 40
    assert max(len(one.calls) for one in ended) <= 45
    late = sorted(one.late for one in ended)
    assert late[ROWS // 2] <= usual
    assert late[-1] <= longest


def test_attempts_last_too_if_only_the_create_route_is_out() -> None:
    create = {Role.CREATE}
    ended = [live("digilocker", 20 * HOUR, seed, Policy(), create) for seed in range(ROWS)]

    assert {one.row.state for one in ended} == {State.PENDING}
    assert max(one.row.attempts for one in ended) <= 40
    assert max(one.late for one in ended) <= 3 * HOUR


@pytest.mark.parametrize("kind", LIVES)
def test_in_an_outage_beyond_the_deadline_attempts_last_until_then(kind: str) -> None:
    ended = lives(kind, 25 * HOUR)

    assert {(one.row.state, one.row.reason) for one in ended} == {(State.PARKED, "unknown_outcome")}
    assert max(one.row.attempts for one in ended) <= 40
    assert max(len(one.calls) for one in ended) <= 45
    assert min(one.calls[-1] for one in ended) >= NOW + 20 * HOUR
    assert max(one.late for one in ended) <= -HOUR + CALL_MS


def test_the_first_repeats_come_within_seconds_and_the_longest_wait_is_hours() -> None:
    ended = lives("passport", 25 * HOUR)
    waits = [[later - earlier for earlier, later in pairwise(one.calls)] for one in ended]

    assert max(wait[0] for wait in waits) <= 2_000 + CALL_MS
    assert HOUR <= max(max(wait) for wait in waits) <= 5 * HOUR


def test_a_row_that_waited_for_hours_before_its_first_call_is_repeated_within_seconds() -> None:
    waited = live("passport", 5_000, 1, Policy(), created=NOW - 20 * HOUR)

    assert waited.row.state is State.DONE
    assert waited.late <= 30_000


def test_a_row_whose_attempts_are_spent_is_parked() -> None:
    ended = lives("passport", 25 * HOUR, Policy(max_attempts=5))

    assert {(one.row.state, one.row.reason, one.row.attempts) for one in ended} == {
        (State.PARKED, "unknown_outcome", 5)
    }
    assert max(one.late for one in ended) <= -24 * HOUR


def test_a_call_that_cannot_be_repeated_safely_is_parked_at_once() -> None:
    sent = Row(id="v", kind="static_kyc_link", state=State.SENT, attempts=1, created=NOW, due=NOW)
    event = Answered(Role.CREATE, answer(Role.CREATE, works=False))

    after, _ = decide(sent, event, NOW, KINDS[sent.kind], Policy())

    assert (after.state, after.reason) == (State.PARKED, "unknown_outcome/verification_failed")
