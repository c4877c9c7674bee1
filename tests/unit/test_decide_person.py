"""The rules for operator actions."""

from dataclasses import replace

import pytest

from satyapan.kinds.model import Role
from satyapan.records import Row, State
from tests.support.decision_builders import DAY, NOW, POLICY, decision, journey, row, sent, status
from worker.rules.lane import Lane
from worker.rules.model import ByHand, Call, Emit, Forgotten, Redriven, Reissued, Woken
from worker.rules.person import ActionRefused


def parked(kind: str = "passport", **changes: object) -> Row:
    base = journey() if kind == "digilocker" else row(kind)
    base = replace(
        base, state=State.PARKED, reason="unknown_outcome", attempts=3, tries=4, misses=2
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # any field of the row


@pytest.mark.parametrize(
    ("before", "state"),
    [
        (parked(), State.ACCEPTED),
        (parked(ambiguous=2), State.UNKNOWN),
        (parked("digilocker"), State.PENDING),
        (parked("digilocker", link="", ambiguous=1), State.UNKNOWN),
        (parked("static_kyc_link"), State.ACCEPTED),
    ],
)
def test_a_redriven_row_continues_in_its_last_known_state(before: Row, state: State) -> None:
    after, effects = decision(before, Redriven())

    assert (after.state, after.reason, after.due) == (state, "redriven", NOW)
    assert (after.attempts, after.tries, after.misses) == (0, 0, 0)
    assert (after.ambiguous, after.generation) == (before.ambiguous, 1)
    assert effects == (Emit("redriven"),)


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_a_redriven_row_with_a_stored_answer_makes_no_call(kind: str) -> None:
    before = parked(kind, reason="unknown_status", status="NEW", draft={"status": "NEW"})

    redriven, _ = decision(before, Redriven())
    after, effects = decision(redriven, Woken())

    assert (after.state, after.reason) == (State.PARKED, "unknown_status")
    assert (after.draft, after.attempts) == (before.draft, before.attempts)
    assert effects == (Emit("parked"),)


@pytest.mark.parametrize("ambiguous", [0, 1])
@pytest.mark.parametrize("kind", ["async/read", "async/repeat", "async/reference", "async/none"])
def test_a_redriven_row_that_the_vendor_works_on_is_read_again(kind: str, ambiguous: int) -> None:
    new = {"status": "NEW"}
    before = parked(kind, reason="unknown_status", ambiguous=ambiguous, draft=new, **new)

    redriven, events = decision(before, Redriven())
    woken, effects = decision(redriven, Woken())
    after, _ = decision(woken, status("VALID"))

    assert (redriven.state, redriven.ambiguous) == (State.PENDING, 0)
    assert (events, effects) == ((Emit("redriven"),), (Call(Role.STATUS, lane=Lane.LOW),))
    assert (after.state, after.status) == (State.DONE, "VALID")


@pytest.mark.parametrize("kind", ["sync/read", "sync/reference"])
def test_a_redriven_row_whose_answer_is_still_unclear_is_read_again(kind: str) -> None:
    new = {"status": "NEW"}
    before = parked(kind, reason="unknown_status", ambiguous=1, draft=new, reference="7", **new)

    redriven, events = decision(before, Redriven())
    woken, effects = decision(redriven, Woken())
    after, _ = decision(woken, status("VALID"))

    assert (redriven.state, redriven.ambiguous, redriven.draft) == (State.PENDING, 0, new)
    assert (events, effects) == ((Emit("redriven"),), (Call(Role.STATUS, lane=Lane.LOW),))
    assert (after.state, after.status) == (State.DONE, "VALID")


@pytest.mark.parametrize(
    ("kind", "word", "reference"),
    [("sync/read", "VALID", "7"), ("sync/reference", "VALID", "7"), ("sync/reference", "NEW", "")],
)
def test_a_redriven_row_of_which_a_read_says_no_more_is_judged_by_its_answer(
    kind: str, word: str, reference: str
) -> None:
    answer = {"status": word}
    before = parked(kind, reason="unknown_status", draft=answer, status="?", reference=reference)

    redriven, _ = decision(before, Redriven())
    after, effects = decision(redriven, Woken())

    assert redriven.state is State.ACCEPTED
    assert after.state is (State.DONE if word == "VALID" else State.PARKED)
    assert effects == (Emit(after.state.lower()),)


def test_a_redriven_visit_is_pending_and_a_visit_cannot_be_reissued() -> None:
    visit = parked("static_kyc_link", parent="v0", reason="workers_lost")

    after, _ = decision(visit, Redriven())

    assert after.state is State.PENDING
    with pytest.raises(ActionRefused, match="nothing was bought"):
        decision(visit, Reissued("asha"))


@pytest.mark.parametrize("event", [Redriven(), Reissued("asha")])
@pytest.mark.parametrize(("remaining", "expected"), [(-5, 3_600_000), (DAY, DAY)])
def test_a_redriven_or_reissued_row_gets_at_least_an_hour(
    event: ByHand, remaining: int, expected: int
) -> None:
    after, _ = decision(parked(deadline=NOW + remaining), event)

    assert after.deadline == NOW + expected


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (parked("static_kyc_link", ambiguous=1), "second charge"),
        (parked(reason="lost_answer", ambiguous=1), "had v1 before"),
        (parked(reason="lost_answer/generations_spent", ambiguous=1), "had v1 before"),
        (parked(reason="foreign_duplicate"), "had v1 before"),
    ],
)
def test_a_redrive_that_could_only_do_harm_is_refused(before: Row, reason: str) -> None:
    with pytest.raises(ActionRefused, match=reason):
        decision(before, Redriven())


def test_a_call_that_the_last_of_five_lost_workers_may_have_made_is_not_repeated() -> None:
    lost, _ = decision(sent("static_kyc_link", crashes=POLICY.max_crashes), Woken())

    assert (lost.state, lost.reason, lost.ambiguous) == (State.PARKED, "workers_lost", 1)
    with pytest.raises(ActionRefused, match="may have been executed"):
        decision(lost, Redriven())


@pytest.mark.parametrize("kind", ["passport", "digilocker", "static_kyc_link"])
def test_a_reissue_starts_over_under_a_recorded_id(kind: str) -> None:
    before = parked(kind, ambiguous=1, todo=("PAN",), draft={"a": 1}, evidence="FAILED", status="X")

    after, effects = decision(before, Reissued("asha"))

    assert (after.state, after.generation, after.due) == (State.ACCEPTED, 2, NOW)
    assert (after.attempts, after.ambiguous, after.misses, after.tries) == (0, 0, 0, 0)
    assert (after.todo, after.draft, after.link, after.evidence) == ((), None, "", "")
    assert (after.status, after.reference) == ("", "")
    assert after.generations == (f"2 by_asha {NOW} maybe_paid v1.g2",)
    assert effects == (Emit("reissued"),)


@pytest.mark.parametrize(
    ("before", "earlier"),
    [
        (parked(attempts=0, reason="workers_lost"), "unpaid"),
        (parked(attempts=1), "maybe_paid"),
        (parked(attempts=0, ambiguous=1), "maybe_paid"),
        (parked("digilocker", attempts=0), "maybe_paid"),
        (parked(attempts=0, draft={"status": "NEW"}), "maybe_paid"),
        (parked("async/read", attempts=0, status="WAIT"), "maybe_paid"),
    ],
    ids=[
        "never sent",
        "sent",
        "redriven",
        "has a link",
        "redriven with an answer",
        "still pending",
    ],
)
def test_a_record_says_whether_the_id_before_may_have_been_paid(before: Row, earlier: str) -> None:
    after, _ = decision(before, Reissued("asha"))

    assert after.generations == (f"2 by_asha {NOW} {earlier} v1.g2",)


def test_a_reissue_beyond_the_cap_is_refused() -> None:
    with pytest.raises(ActionRefused, match="2 generations"):
        decision(parked(generation=POLICY.max_generations), Reissued("asha"))


def test_a_forgotten_row_fails() -> None:
    after, effects = decision(parked(), Forgotten())

    assert (after.state, after.reason, after.due) == (
        State.FAILED,
        "forgotten/unknown_outcome",
        0,
    )
    assert effects == (Emit("failed"),)


@pytest.mark.parametrize("event", [Redriven(), Reissued("asha"), Forgotten()], ids=repr)
@pytest.mark.parametrize("state", sorted({*State} - {State.PARKED}))
def test_only_a_parked_row_accepts_operator_actions(event: ByHand, state: State) -> None:
    with pytest.raises(ActionRefused, match=f"v1 is {state}"):
        decision(replace(row("passport"), state=state), event)
