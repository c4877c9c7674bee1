"""The rules that hold for every kind, and those of passports."""

from dataclasses import replace
from typing import Final

import pytest

from satyapan.kinds import Kind
from satyapan.kinds.model import Role
from satyapan.records import SETTLED, State
from tests.support.decision_builders import (
    DAY,
    KINDS,
    NOW,
    POLICY,
    answered,
    decision,
    journey,
    passport_answer,
    row,
    sent,
    status,
)
from worker.rules.answer import Outcome
from worker.rules.calls import admitted
from worker.rules.decide import decide
from worker.rules.model import (
    Acquired,
    Call,
    Emit,
    Event,
    Policy,
    Redriven,
    VisitorWebhook,
    Woken,
)

ODD: Final = "Found, but cancelled"
"""A status that is no word: rows show it only if the kind knows it."""


def knows(status: str) -> Kind:
    """Return the passport kind with one more status."""
    operation = KINDS["passport"].operation("cashfree")
    more = replace(operation, status_map={**operation.status_map, status: State.DONE})
    return replace(KINDS["passport"], operations={"cashfree": more})


@pytest.mark.parametrize("left", [1, DAY])
def test_an_accepted_call_has_an_hour_at_least_for_its_answer(left: int) -> None:
    before = sent("async/read", deadline=NOW + left)
    waits = answered(Outcome.OK, body={"status": "WAIT"})

    accepted, _ = decision(before, waits)
    found, _ = decision(replace(before, state=State.UNKNOWN), replace(waits, role=Role.STATUS))

    assert {accepted.state, found.state} == {State.PENDING}
    assert accepted.deadline == found.deadline == NOW + max(left, POLICY.second_life)


class TestPassport:
    def test_a_woken_row_is_not_sent_before_its_call_is_admitted(self) -> None:
        woken = row("passport", misses=1)

        after, effects = decision(woken, Woken())
        sent_now = admitted(after, Call(Role.CREATE), NOW)

        assert (after, effects) == (woken, (Call(Role.CREATE),))
        assert (sent_now.state, sent_now.attempts, sent_now.misses) == (State.SENT, 1, 0)

    @pytest.mark.parametrize("status", ["VALID", "INVALID"])
    def test_an_answer_becomes_the_result(self, status: str) -> None:
        after, effects = decision(sent("passport"), passport_answer(status))

        assert (after.state, after.status, after.due) == (State.DONE, status, 0)
        assert after.result is not None
        assert after.result["status"] == status
        assert effects == (Emit("done"),)

    def test_an_answer_with_an_unknown_status_is_parked(self) -> None:
        after, effects = decision(sent("passport"), passport_answer("MAYBE"))

        assert (after.state, after.reason) == (State.PARKED, "unknown_status")
        assert after.draft is not None
        assert effects == (Emit("parked"),)

    def test_a_stored_answer_is_judged_again_without_a_new_call(self) -> None:
        unknown = decision(sent("passport"), passport_answer("MAYBE"))[0]
        known_now = replace(unknown, status="VALID")

        still, _ = decision(replace(unknown, state=State.CLAIMED), Woken())
        ended, effects = decision(replace(known_now, state=State.CLAIMED), Woken())

        assert (still.state, still.reason) == (State.PARKED, "unknown_status")
        assert (ended.state, ended.status, ended.result) == (State.DONE, "VALID", known_now.draft)
        assert effects == (Emit("done"),)

    def test_a_kinds_own_status_may_be_any_text(self) -> None:
        after, _ = decide(sent("passport"), passport_answer(ODD), NOW, knows(ODD), POLICY)

        assert (after.state, after.status) == (State.DONE, ODD)

    def test_a_stored_answer_whose_status_is_not_shown_is_judged_once_the_kind_knows_it(
        self,
    ) -> None:
        parked = decision(sent("passport"), passport_answer(ODD))[0]
        redriven = decision(parked, Redriven())[0]

        after, effects = decide(redriven, Woken(), NOW, knows(ODD), POLICY)

        assert (parked.status, redriven.state) == ("?", State.ACCEPTED)
        assert (after.state, after.status, after.result) == (State.DONE, ODD, parked.draft)
        assert effects == (Emit("done"),)

    def test_a_status_that_is_not_a_plain_word_is_not_stored_in_clear(self) -> None:
        text = "JOHN DOE, 1 JAN 1990"
        visit = replace(journey(parent="v0"), kind="static_kyc_link", link="")

        answers = [
            decision(sent("passport"), passport_answer(text))[0],
            decision(journey(), status(text))[0],
            decision(visit, VisitorWebhook(State.DONE, text, "9", {"form_status": text}))[0],
        ]

        assert [row.status for row in answers] == ["?", "?", "?"]
        assert text in str([row.draft or row.result for row in answers])

    def test_a_refusal_records_code_and_field(self) -> None:
        event = answered(Outcome.REFUSED, http=400, code="dob_value_invalid", refused_field="dob")

        after, effects = decision(sent("passport"), event)

        assert (after.state, after.reason) == (State.REFUSED, "dob_value_invalid")
        assert (after.refused_field, after.http) == ("dob", 400)
        assert effects == (Emit("refused"),)

    def test_a_refusal_after_an_ambiguous_attempt_is_parked(self) -> None:
        after, _ = decision(sent("passport", ambiguous=1), answered(Outcome.REFUSED, code="x"))

        assert after.state is State.PARKED

    def test_an_unknown_outcome_is_retried_with_the_same_id(self) -> None:
        after, effects = decision(sent("passport"), answered(Outcome.UNKNOWN, code="cut"))
        again, calls = decision(after, Woken(), now=after.due)

        assert (after.state, after.ambiguous, effects) == (State.UNKNOWN, 1, ())
        assert after.due > NOW
        assert (again.generation, calls) == (1, (Call(Role.CREATE),))

    def test_a_row_is_parked_when_its_attempts_are_spent(self) -> None:
        after, effects = decision(row("passport", ambiguous=3, attempts=3), Woken(), policy=POLICY)

        assert (after.state, after.reason) == (State.PARKED, "unknown_outcome")
        assert effects == (Emit("parked"),)

    @pytest.mark.parametrize(
        ("policy", "state", "reason", "change"),
        [
            ("park", State.PARKED, "lost_answer", "parked"),
            ("fail", State.LOST, "lost_answer", "lost"),
            ("reissue", State.ACCEPTED, "lost_answer", "reissued"),
        ],
    )
    def test_a_duplicate_after_an_ambiguous_attempt_is_a_lost_answer(
        self, policy: str, state: State, reason: str, change: str
    ) -> None:
        event = answered(Outcome.DUPLICATE, http=409)
        on_lost_answer = Policy(lost_answer={"passport": policy})

        after, effects = decision(sent("passport", ambiguous=1), event, policy=on_lost_answer)

        assert (after.state, after.reason) == (state, reason)
        assert effects == (Emit(change),)
        assert after.generation == (2 if policy == "reissue" else 1)
        assert len(after.generations) == after.generation - 1

    def test_reissues_are_capped(self) -> None:
        second_generation = sent("passport", ambiguous=1, generation=2)
        on_lost_answer = Policy(lost_answer={"passport": "reissue"}, max_generations=2)

        after, _ = decision(second_generation, answered(Outcome.DUPLICATE), policy=on_lost_answer)

        assert (after.state, after.reason) == (State.PARKED, "lost_answer/generations_spent")

    def test_a_duplicate_without_an_earlier_call_is_parked(self) -> None:
        reissue = Policy(lost_answer={"passport": "reissue"})

        after, _ = decision(sent("passport"), answered(Outcome.DUPLICATE, http=409), policy=reissue)

        assert (after.state, after.reason) == (State.PARKED, "foreign_duplicate")

    @pytest.mark.parametrize(
        "outcome", [Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.STOPPED, Outcome.NOT_ENABLED]
    )
    def test_a_call_that_was_not_executed_spends_no_attempt(self, outcome: Outcome) -> None:
        after, _ = decision(sent("passport"), answered(outcome, code="c", not_before_s=9.0))

        assert (after.state, after.attempts, after.ambiguous) == (State.ACCEPTED, 0, 0)
        assert after.due > NOW

    def test_an_ambiguous_attempt_stays_ambiguous_when_its_retry_was_not_sent(self) -> None:
        after, _ = decision(
            sent("passport", ambiguous=1), answered(Outcome.NOT_SENT, code="refused")
        )

        assert (after.state, after.ambiguous) == (State.UNKNOWN, 1)

    def test_a_429_makes_the_row_wait_as_long_as_the_vendor_says(self) -> None:
        after, _ = decision(sent("passport"), answered(Outcome.THROTTLED, not_before_s=42.0))

        assert (after.state, after.attempts) == (State.ACCEPTED, 0)
        assert after.due >= NOW + 42_000

    def test_a_stopped_account_leaves_the_row_accepted_and_spends_no_attempt(self) -> None:
        event = answered(Outcome.STOPPED, http=422, code="insufficient_balance")

        after, effects = decision(sent("passport"), event)

        assert effects == ()
        assert (after.state, after.attempts) == (State.ACCEPTED, 0)

    def test_a_row_whose_worker_died_after_sent_has_an_ambiguous_attempt(self) -> None:
        after, effects = decision(sent("passport"), Woken())

        assert (after.state, after.ambiguous, after.reason) == (State.UNKNOWN, 1, "worker_lost")
        assert effects == ()

    def test_a_row_is_parked_after_five_workers_died_with_it(self) -> None:
        after, _ = decision(row("passport", crashes=5), Woken())

        assert (after.state, after.reason) == (State.PARKED, "workers_lost")

    def test_a_row_not_sent_by_its_deadline_fails(self) -> None:
        after, effects = decision(row("passport"), Woken(), now=NOW + DAY)

        assert (after.state, after.reason) == (State.FAILED, "deadline")
        assert effects == (Emit("failed"),)

    def test_a_row_with_an_ambiguous_attempt_is_parked_at_its_deadline(self) -> None:
        ambiguous = replace(row("passport", ambiguous=1, attempts=1), state=State.UNKNOWN)

        after, _ = decision(ambiguous, Woken(), now=NOW + DAY)

        assert after.state is State.PARKED


@pytest.mark.parametrize("state", sorted(SETTLED))
@pytest.mark.parametrize("event", [Woken(), Acquired(), passport_answer("VALID")], ids=repr)
def test_a_settled_row_never_changes(state: State, event: Event) -> None:
    ended = replace(row("passport"), state=state)

    assert decision(ended, event) == (ended, ())


def test_jitter_spreads_the_waits_of_many_rows() -> None:
    event = answered(Outcome.UNKNOWN, code="cut")
    kind = KINDS["passport"]

    dues = {
        decide(sent("passport"), event, NOW, kind, POLICY, jitter=draw / 10)[0].due
        for draw in range(11)
    }

    assert len(dues) > 5
    assert all(due > NOW for due in dues)
