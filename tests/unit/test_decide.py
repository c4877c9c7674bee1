"""The rules, one story a test: what the row becomes and what has to be done."""

from dataclasses import replace
from typing import Any

import pytest

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from satyapan.records import SETTLED, Row, State
from worker.answer import Answer, Outcome
from worker.decide import decide
from worker.rules.model import (
    Acquire,
    Acquired,
    Answered,
    Cached,
    Call,
    Decision,
    Emit,
    Event,
    Held,
    HoldRoute,
    Policy,
    StopAccount,
    Told,
    Woken,
)

NOW = 1_800_000_000_000
DAY = 86_400_000
KINDS = Registry()
POLICY = Policy(max_attempts=3, max_generations=2)


def row(kind: str, **changes: Any) -> Row:
    return Row(id="v1", kind=kind, deadline=NOW + DAY, state=State.CLAIMED, **changes)


def turn(of: Row, event: Event, now: int = NOW, policy: Policy = POLICY) -> Decision:
    return decide(of, event, now, KINDS[of.kind], policy, luck=1.0)


def answered(outcome: Outcome, role: Role = Role.CREATE, **parts: Any) -> Answered:
    item = parts.pop("item", "")
    return Answered(role, Answer(outcome=outcome, **parts), item)


def sent(kind: str, **changes: Any) -> Row:
    return replace(row(kind), state=State.SENT, attempts=1, **changes)


def passport_answer(status: str) -> Answered:
    body = {"verification_id": "v1", "reference_id": "7", "status": status}
    return answered(Outcome.OK, http=200, reference="7", body=body)


class TestPassport:
    def test_a_woken_row_is_sent_before_its_call(self) -> None:
        after, effects = turn(row("passport"), Woken())

        assert (after.state, after.attempts) == (State.SENT, 1)
        assert effects == (Call(Role.CREATE),)

    @pytest.mark.parametrize("status", ["VALID", "INVALID"])
    def test_an_answer_is_the_result(self, status: str) -> None:
        after, effects = turn(sent("passport"), passport_answer(status))

        assert (after.state, after.status, after.due) == (State.DONE, status, 0)
        assert after.result is not None
        assert after.result["status"] == status
        assert effects == (Emit("done"),)

    def test_an_unknown_status_word_is_for_a_person(self) -> None:
        after, effects = turn(sent("passport"), passport_answer("MAYBE"))

        assert (after.state, after.reason) == (State.PARKED, "unknown_status")
        assert after.draft is not None
        assert effects == (Emit("parked"),)

    def test_a_refusal_names_code_and_field(self) -> None:
        said = answered(Outcome.REFUSED, http=400, code="dob_value_invalid", refused_field="dob")

        after, effects = turn(sent("passport"), said)

        assert (after.state, after.reason) == (State.REFUSED, "dob_value_invalid")
        assert (after.refused_field, after.http) == ("dob", 400)
        assert effects == (Emit("refused"),)

    def test_a_refusal_while_in_doubt_is_for_a_person(self) -> None:
        after, _ = turn(sent("passport", doubts=1), answered(Outcome.REFUSED, code="x"))

        assert after.state is State.PARKED

    def test_an_unknown_outcome_is_repeated_with_the_same_id(self) -> None:
        after, effects = turn(sent("passport"), answered(Outcome.UNKNOWN, code="cut"))
        again, calls = turn(after, Woken(), now=after.due)

        assert (after.state, after.doubts, effects) == (State.UNKNOWN, 1, ())
        assert after.due > NOW
        assert (again.state, again.generation, calls) == (State.SENT, 1, (Call(Role.CREATE),))

    def test_repeats_are_bounded_and_then_parked(self) -> None:
        after, effects = turn(
            row("passport", doubts=3, attempts=3), Woken(), policy=POLICY
        )

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
    def test_a_duplicate_after_a_doubt_is_a_lost_answer(
        self, policy: str, state: State, reason: str, change: str
    ) -> None:
        said = answered(Outcome.DUPLICATE, http=409)
        lost = Policy(lost_answer={"passport": policy})

        after, effects = turn(sent("passport", doubts=1), said, policy=lost)

        assert (after.state, after.reason) == (state, reason)
        assert effects == (Emit(change),)
        assert after.generation == (2 if policy == "reissue" else 1)
        assert len(after.generations) == after.generation - 1

    def test_reissues_are_capped(self) -> None:
        twice = sent("passport", doubts=1, generation=2)
        lost = Policy(lost_answer={"passport": "reissue"}, max_generations=2)

        after, _ = turn(twice, answered(Outcome.DUPLICATE), policy=lost)

        assert (after.state, after.reason) == (State.PARKED, "lost_answer/generations_spent")

    def test_a_duplicate_without_a_call_of_ours_is_quarantined(self) -> None:
        after, _ = turn(sent("passport"), answered(Outcome.DUPLICATE, http=409))

        assert (after.state, after.reason) == (State.PARKED, "foreign_duplicate")

    @pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.STOPPED])
    def test_what_executed_nothing_spends_no_attempt(self, outcome: Outcome) -> None:
        after, _ = turn(sent("passport"), answered(outcome, code="c", not_before_s=9.0))

        assert (after.state, after.attempts, after.doubts) == (State.ACCEPTED, 0, 0)
        assert after.due > NOW

    def test_a_doubt_stays_a_doubt_when_a_repeat_was_not_sent(self) -> None:
        after, _ = turn(sent("passport", doubts=1), answered(Outcome.NOT_SENT, code="refused"))

        assert (after.state, after.doubts) == (State.UNKNOWN, 1)

    def test_a_429_holds_the_route_as_long_as_the_vendor_says(self) -> None:
        after, effects = turn(sent("passport"), answered(Outcome.THROTTLED, not_before_s=42.0))

        assert effects == (HoldRoute(Role.CREATE, 42.0),)
        assert after.due >= NOW + 42_000

    def test_a_stopped_account_stops_the_account_not_the_job(self) -> None:
        said = answered(Outcome.STOPPED, http=422, code="insufficient_balance")

        after, effects = turn(sent("passport"), said)

        assert effects == (StopAccount("insufficient_balance"),)
        assert after.state is State.ACCEPTED

    def test_a_worker_that_vanished_after_sent_left_a_doubt(self) -> None:
        after, effects = turn(sent("passport"), Woken())

        assert (after.state, after.doubts, after.reason) == (State.UNKNOWN, 1, "worker_lost")
        assert effects == ()

    def test_a_row_that_killed_one_worker_after_another_is_parked(self) -> None:
        after, _ = turn(row("passport", crashes=5), Woken())

        assert (after.state, after.reason) == (State.PARKED, "workers_lost")

    def test_a_row_never_sent_by_its_deadline_fails(self) -> None:
        after, effects = turn(row("passport"), Woken(), now=NOW + DAY)

        assert (after.state, after.reason) == (State.FAILED, "deadline")
        assert effects == (Emit("failed"),)

    def test_a_doubt_at_its_deadline_is_for_a_person_not_failed(self) -> None:
        doubtful = replace(row("passport", doubts=1, attempts=1), state=State.UNKNOWN)

        after, _ = turn(doubtful, Woken(), now=NOW + DAY)

        assert after.state is State.PARKED

    def test_a_row_that_has_to_wait_keeps_its_slot(self) -> None:
        after, effects = turn(row("passport"), Held(NOW + 700, "quota", slot=NOW + 700))

        assert (after.state, after.due, after.slot) == (State.ACCEPTED, NOW + 700, NOW + 700)
        assert effects == ()


def journey(**changes: Any) -> Row:
    base = row("digilocker", link="https://vendor/dgl/1", status="PENDING")
    return replace(base, state=State.PENDING, deadline=NOW + 4_200_000, **changes)


def status(word: str, **more: Any) -> Answered:
    body = {"verification_id": "v1", "status": word, "user_details": {"name": "A"}, **more}
    return answered(Outcome.OK, Role.STATUS, http=200, body=body)


class TestDigilocker:
    def test_a_created_journey_waits_for_its_person(self) -> None:
        body = {"verification_id": "v1", "status": "PENDING", "url": "https://vendor/dgl/1"}

        after, effects = turn(sent("digilocker"), answered(Outcome.OK, body=body))

        assert (after.state, after.link) == (State.PENDING, "https://vendor/dgl/1")
        assert after.deadline == NOW + (600 + 3600) * 1000
        assert NOW < after.due < NOW + 60_000
        assert effects == (Emit("link_ready"),)

    def test_a_pending_status_is_read_again_later_and_later(self) -> None:
        first, _ = turn(journey(), status("PENDING"))
        second, _ = turn(first, status("PENDING"))

        assert (first.state, second.state) == (State.PENDING, State.PENDING)
        assert second.due > first.due > NOW

    def test_consented_documents_are_fetched_one_by_one_then_done(self) -> None:
        consented, first = turn(
            journey(), status("AUTHENTICATED", document_consent=["AADHAAR", "PAN"])
        )
        one, second = turn(
            consented, answered(Outcome.OK, Role.DOCUMENT, item="AADHAAR", body={"uid": "x"})
        )
        done, last = turn(
            one, answered(Outcome.OK, Role.DOCUMENT, item="PAN", body={"pan": "y"})
        )

        assert first == (Call(Role.DOCUMENT, "AADHAAR"),)
        assert second == (Call(Role.DOCUMENT, "PAN"),)
        assert (done.state, done.status, last) == (State.DONE, "AUTHENTICATED", (Emit("done"),))
        assert done.result is not None
        assert set(done.result["documents"]) == {"AADHAAR", "PAN"}

    @pytest.mark.parametrize("consent", [None, []])
    def test_a_null_or_empty_consent_is_done_without_documents(self, consent: object) -> None:
        after, _ = turn(journey(), status("AUTHENTICATED", document_consent=consent))

        assert after.state is State.DONE
        assert after.result is not None
        assert after.result["documents"] == {}

    @pytest.mark.parametrize(
        ("word", "state"),
        [("EXPIRED", State.EXPIRED), ("CONSENT_DENIED", State.DENIED), ("FAILED", State.FAILED)],
    )
    def test_the_vendor_ends_a_journey(self, word: str, state: State) -> None:
        after, effects = turn(journey(), status(word))

        assert after.state is state
        assert effects == (Emit(state.lower()),)

    def test_a_document_that_is_not_ready_is_asked_for_again(self) -> None:
        waiting = journey(todo=("PAN",), draft={"documents": {}})

        after, effects = turn(waiting, answered(Outcome.WAIT, Role.DOCUMENT, item="PAN", http=202))

        assert (after.state, after.todo, effects) == (State.PENDING, ("PAN",), ())
        assert after.due > NOW

    def test_a_document_that_is_gone_is_noted_and_the_rest_kept(self) -> None:
        got = {"status": "AUTHENTICATED", "documents": {"AADHAAR": {"uid": "x"}}}
        half = journey(todo=("PAN",), draft=got)

        after, _ = turn(
            half, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.DONE, "partial")
        assert after.result is not None
        assert after.result["documents"]["PAN"]["reason"] == "session_expired"

    def test_a_journey_whose_every_document_is_gone_failed(self) -> None:
        none = journey(todo=("PAN",), draft={"documents": {}})

        after, _ = turn(
            none, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.FAILED, "session_expired")

    def test_a_lost_create_is_read_before_anything_else(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)

        _, effects = turn(doubtful, Woken())

        assert effects == (Call(Role.STATUS),)

    def test_a_found_journey_without_its_link_goes_on_under_a_new_generation(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)

        after, effects = turn(doubtful, status("PENDING"))

        assert (after.state, after.generation, after.doubts) == (State.ACCEPTED, 2, 0)
        assert effects == (Emit("reissued"),)
        assert "lost_link" in after.generations[0]

    def test_a_create_that_never_arrived_is_repeated_after_two_reads(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)
        missing = answered(Outcome.MISSING, Role.STATUS, http=404)

        once, nothing = turn(doubtful, missing)
        twice, call = turn(once, missing)

        assert (once.state, nothing) == (State.UNKNOWN, ())
        assert (twice.state, twice.generation, call) == (State.SENT, 1, (Call(Role.CREATE),))

    def test_a_duplicate_after_a_doubt_is_read(self) -> None:
        _, effects = turn(sent("digilocker", doubts=1), answered(Outcome.DUPLICATE, http=409))

        assert effects == (Call(Role.STATUS),)

    def test_a_pending_journey_expires_at_the_vendors_deadline(self) -> None:
        after, _ = turn(journey(), status("PENDING"), now=NOW + 4_200_000)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")

    def test_a_journey_that_can_not_be_read_is_decided_by_signed_evidence(self) -> None:
        late = NOW + 4_200_000 + POLICY.stuck

        denied, _ = turn(journey(evidence="CONSENT_DENIED"), Woken(), now=late)
        parked, _ = turn(journey(), Woken(), now=late)
        unknown, _ = turn(journey(evidence="AUTHENTICATED"), Woken(), now=late)

        assert denied.state is State.DENIED
        assert (parked.state, parked.reason) == (State.PARKED, "status_unreadable")
        assert unknown.state is State.PARKED

    def test_documents_never_fetched_by_the_deadline_fail_the_journey(self) -> None:
        after, _ = turn(
            journey(todo=("PAN",), draft={"documents": {}}), Woken(), now=NOW + 4_200_000
        )

        assert (after.state, after.reason) == (State.FAILED, "deadline")


class TestStaticLink:
    def test_a_link_is_created_only_by_whoever_acquired_the_template(self) -> None:
        asked, first = turn(row("static_kyc_link"), Woken())
        acquired, second = turn(asked, Acquired())

        assert first == (Acquire(),)
        assert (acquired.state, second) == (State.SENT, (Call(Role.CREATE),))

    def test_a_cached_link_costs_no_call(self) -> None:
        result = {"static_link": "https://x", "status": "ACTIVE"}
        cached = Cached("ACTIVE", "", "https://x", result)

        after, effects = turn(row("static_kyc_link"), cached)

        assert (after.state, after.attempts, after.result) == (State.DONE, 0, result)
        assert effects == (Emit("done"),)

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN])
    def test_a_lost_create_is_parked_never_repeated(self, outcome: Outcome) -> None:
        after, _ = turn(sent("static_kyc_link"), answered(outcome, code="cut"))
        vanished, _ = turn(sent("static_kyc_link"), Woken())

        assert (after.state, after.reason) == (State.PARKED, "unknown_outcome/cut")
        assert vanished.state is State.PARKED

    def test_a_visitor_is_told_of_step_by_step(self) -> None:
        visit = replace(journey(parent="v0"), kind="static_kyc_link", state=State.PENDING)
        step = Told(State.PENDING, "RECEIVED", "9", {"form_status": "RECEIVED"})
        end = Told(State.DONE, "SUCCESS", "9", {"form_status": "SUCCESS"})

        one, first = turn(visit, step)
        two, second = turn(one, end)

        assert (one.state, one.due, first) == (State.PENDING, visit.deadline, (Emit("progress"),))
        assert (two.state, second) == (State.DONE, (Emit("done"),))


@pytest.mark.parametrize("state", sorted(SETTLED))
@pytest.mark.parametrize(
    "event", [Woken(), Held(NOW, "x"), Acquired(), passport_answer("VALID")], ids=repr
)
def test_a_settled_row_never_changes(state: State, event: Event) -> None:
    ended = replace(row("passport"), state=state)

    assert turn(ended, event) == (ended, ())


def test_luck_spreads_the_waits_of_many_rows() -> None:
    said = answered(Outcome.UNKNOWN, code="cut")
    kind = KINDS["passport"]

    dues = {
        decide(sent("passport"), said, NOW, kind, POLICY, luck=draw / 10)[0].due
        for draw in range(11)
    }

    assert len(dues) > 5
    assert all(due > NOW for due in dues)
