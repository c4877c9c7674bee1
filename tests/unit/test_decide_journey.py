"""The rules of a journey, one story a test."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.kinds.model import Role
from satyapan.records import Row, State
from tests.support.decision_builders import (
    KINDS,
    NOW,
    POLICY,
    answered,
    decision,
    journey,
    row,
    sent,
    status,
)
from worker.rules.answer import Outcome
from worker.rules.calls import admitted, deferred
from worker.rules.decide import decide
from worker.rules.lane import Lane
from worker.rules.model import Answered, Call, Emit, Woken


def reading(of: Row, now: int = NOW) -> Row:
    """Give the row whose status read was admitted."""
    return admitted(of, Call(Role.STATUS), now)


class TestDigilocker:
    def test_a_created_journey_waits_for_its_person(self) -> None:
        body = {"verification_id": "v1", "status": "PENDING", "url": "https://vendor/dgl/1"}

        after, effects = decision(sent("digilocker"), answered(Outcome.OK, body=body))

        assert (after.state, after.link) == (State.PENDING, "https://vendor/dgl/1")
        assert after.deadline == NOW + (600 + 3600) * 1000
        assert NOW < after.due < NOW + 60_000
        assert effects == (Emit("link_ready"),)

    def test_a_pending_status_is_read_again_later_and_later(self) -> None:
        first, _ = decision(journey(), status("PENDING"))
        second, _ = decision(first, status("PENDING"))

        assert (first.state, second.state) == (State.PENDING, State.PENDING)
        assert second.due > first.due > NOW

    def test_consented_documents_are_fetched_one_by_one_then_done(self) -> None:
        consented, first = decision(
            journey(), status("AUTHENTICATED", document_consent=["AADHAAR", "PAN"])
        )
        one, second = decision(
            consented, answered(Outcome.OK, Role.DOCUMENT, item="AADHAAR", body={"uid": "x"})
        )
        done, last = decision(
            one, answered(Outcome.OK, Role.DOCUMENT, item="PAN", body={"pan": "y"})
        )

        assert first == (Call(Role.DOCUMENT, "AADHAAR"),)
        assert second == (Call(Role.DOCUMENT, "PAN"),)
        assert (done.state, done.status, last) == (State.DONE, "AUTHENTICATED", (Emit("done"),))
        assert done.result is not None
        assert set(done.result["documents"]) == {"AADHAAR", "PAN"}

    @pytest.mark.parametrize("consent", [None, []])
    def test_a_null_or_empty_consent_is_done_without_documents(self, consent: object) -> None:
        after, _ = decision(journey(), status("AUTHENTICATED", document_consent=consent))

        assert after.state is State.DONE
        assert after.result is not None
        assert after.result["documents"] == {}

    @pytest.mark.parametrize(
        ("word", "state"),
        [("EXPIRED", State.EXPIRED), ("CONSENT_DENIED", State.DENIED), ("FAILED", State.FAILED)],
    )
    def test_the_vendor_ends_a_journey(self, word: str, state: State) -> None:
        after, effects = decision(journey(), status(word))

        assert after.state is state
        assert effects == (Emit(state.lower()),)

    def test_a_document_that_is_not_ready_is_asked_for_again(self) -> None:
        waiting = journey(todo=("PAN",), draft={"documents": {}})

        after, effects = decision(
            waiting, answered(Outcome.WAIT, Role.DOCUMENT, item="PAN", http=202)
        )

        assert (after.state, after.todo, effects) == (State.PENDING, ("PAN",), ())
        assert after.due > NOW

    def test_a_document_that_is_gone_is_noted_and_the_rest_kept(self) -> None:
        got = {"status": "AUTHENTICATED", "documents": {"AADHAAR": {"uid": "x"}}}
        half = journey(todo=("PAN",), draft=got)

        after, _ = decision(
            half, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.DONE, "partial")
        assert after.result is not None
        assert after.result["documents"]["PAN"]["reason"] == "session_expired"

    def test_a_journey_whose_every_document_is_gone_failed(self) -> None:
        none = journey(todo=("PAN",), draft={"documents": {}})

        after, _ = decision(
            none, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.FAILED, "session_expired")

    def test_a_lost_create_is_read_before_anything_else(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)

        _, effects = decision(doubtful, Woken())

        assert effects == (Call(Role.STATUS, lane=Lane.NORMAL),)

    def test_a_found_journey_without_its_link_goes_on_under_a_new_generation(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)

        after, effects = decision(doubtful, status("PENDING"))

        assert (after.state, after.generation, after.doubts) == (State.ACCEPTED, 2, 0)
        assert effects == (Emit("reissued"),)
        assert "lost_link" in after.generations[0]

    def test_a_create_that_never_arrived_is_repeated_after_two_reads(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)
        missing = answered(Outcome.MISSING, Role.STATUS, http=404)

        once, nothing = decision(doubtful, missing)
        twice, call = decision(once, missing)

        assert (once.state, nothing) == (State.UNKNOWN, ())
        assert (twice.generation, call) == (1, (Call(Role.CREATE),))

    def test_a_duplicate_after_a_doubt_is_read(self) -> None:
        _, effects = decision(sent("digilocker", doubts=1), answered(Outcome.DUPLICATE, http=409))

        assert effects == (Call(Role.STATUS),)

    def test_a_pending_journey_expires_at_the_vendors_deadline(self) -> None:
        after, _ = decision(journey(), status("PENDING"), now=NOW + 4_200_000)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")

    def test_a_journey_that_can_not_be_read_is_decided_by_signed_evidence(self) -> None:
        late = NOW + 4_200_000 + POLICY.stuck

        denied, _ = decision(journey(evidence="CONSENT_DENIED"), Woken(), now=late)
        parked, _ = decision(journey(), Woken(), now=late)
        unknown, _ = decision(journey(evidence="AUTHENTICATED"), Woken(), now=late)

        assert denied.state is State.DENIED
        assert (parked.state, parked.reason) == (State.PARKED, "status_unreadable")
        assert unknown.state is State.PARKED

    def test_documents_never_fetched_by_the_deadline_fail_the_journey(self) -> None:
        after, _ = decision(
            journey(todo=("PAN",), draft={"documents": {}}), Woken(), now=NOW + 4_200_000
        )

        assert (after.state, after.reason) == (State.FAILED, "deadline")


class TestWhoGoesFirst:
    @pytest.mark.parametrize(
        ("ask", "lane"), [("first", Lane.HIGH), ("again", Lane.NORMAL), ("", Lane.LOW)]
    )
    def test_what_somebody_asked_for_goes_before_polls(self, ask: str, lane: Lane) -> None:
        after, effects = decision(journey(ask=ask), Woken())

        assert effects == (Call(Role.STATUS, lane=lane),)
        assert (after.ask, after.looked) == (ask, 0)
        assert (reading(after).ask, reading(after).looked) == ("", NOW)

    def test_reads_that_somebody_asked_for_are_counted_and_polls_are_not(self) -> None:
        asked = reading(journey(ask="first"))
        again = reading(replace(asked, ask="again"))
        read, _ = decision(again, status("PENDING"))
        polled = reading(read)

        assert (asked.asks, again.asks, polled.asks) == (1, 2, 2)

    def test_an_ask_that_has_to_wait_stays_one(self) -> None:
        asked, _ = decision(journey(ask="first"), Woken())

        after = deferred(asked, NOW + 700, "quota", NOW)

        assert (after.ask, after.asks, after.due) == ("first", 0, NOW + 700)

    @pytest.mark.parametrize("ask", ["first", "again"])
    def test_an_ask_whose_read_had_no_answer_is_asked_again(self, ask: str) -> None:
        asked = reading(journey(ask=ask))
        failed, _ = decision(asked, answered(Outcome.UNKNOWN, Role.STATUS, http=502))

        _, after_failure = decision(failed, Woken())
        _, after_death = decision(asked, Woken())

        lane = Lane.HIGH if ask == "first" else Lane.NORMAL
        assert after_failure == after_death == (Call(Role.STATUS, lane=lane),)
        done, _ = decision(asked, status("PENDING"))
        assert (done.ask, done.asking) == ("", "")

    def test_a_doubtful_create_is_not_read_as_a_poll(self) -> None:
        doubtful = replace(row("digilocker", doubts=1, attempts=1), state=State.UNKNOWN)

        for priority, lane in (("", Lane.NORMAL), ("high", Lane.HIGH)):
            _, effects = decision(replace(doubtful, priority=priority), Woken())
            assert effects == (Call(Role.STATUS, lane=lane),)

    def test_a_high_priority_is_kept_for_creates_and_documents(self) -> None:
        _, create = decision(row("digilocker", priority="high"), Woken())
        half = journey(priority="high", todo=("PAN",), draft={"documents": {}})
        _, document = decision(half, Woken())

        assert create == (Call(Role.CREATE, lane=Lane.HIGH),)
        assert document == (Call(Role.DOCUMENT, "PAN", Lane.HIGH),)

    def test_a_new_generation_begins_with_nobody_asking(self) -> None:
        doubtful = row("digilocker", doubts=1, attempts=1, ask="again", asks=7, asked=NOW - 5)

        after, _ = decision(replace(doubtful, state=State.UNKNOWN), status("PENDING"))

        assert (after.generation, after.ask, after.asks, after.asked) == (2, "", 0, 0)


class TestPolls:
    PACE = 1_200_000

    def test_the_more_journeys_are_open_the_later_each_is_polled(self) -> None:
        body = {"verification_id": "v1", "status": "PENDING", "url": "https://vendor/dgl/1"}

        begun, _ = decision(sent("digilocker"), answered(Outcome.OK, body=body), pace=self.PACE)
        polled, _ = decision(journey(tries=9), status("PENDING"), pace=self.PACE)

        for after in (begun, polled):
            assert NOW + self.PACE <= after.due <= NOW + self.PACE * 5 // 4

    @given(open_ones=st.integers(1, 50_000), limit=st.integers(1, 10_000), jitter=st.floats(0, 1))
    def test_polls_never_plan_for_more_than_half_of_the_quota(
        self, open_ones: int, limit: int, jitter: float
    ) -> None:
        pace = 2 * open_ones * 60_000 // limit
        kind = KINDS["digilocker"]
        far = replace(journey(), deadline=NOW + 10**12)

        after, _ = decide(far, status("PENDING"), NOW, kind, POLICY, jitter, pace)

        polls_a_minute = open_ones * 60_000 / (after.due - NOW)
        assert polls_a_minute <= limit / 2 + 1

    def test_no_poll_is_planned_for_after_the_deadline(self) -> None:
        after, _ = decision(journey(), status("PENDING"), pace=10**9)

        assert after.due == after.deadline

    def test_what_was_pending_after_its_links_life_expires_without_a_read(self) -> None:
        late = NOW + 4_200_000
        link_ended = late - 3_600_000
        read, _ = decision(journey(looked=link_ended), status("PENDING"), now=link_ended + 900)

        after, effects = decision(read, Woken(), now=late)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")
        assert effects == (Emit("expired"),)

    @pytest.mark.parametrize(
        "event",
        [
            None,
            answered(Outcome.UNKNOWN, Role.STATUS, http=502, code="http_502"),
            answered(Outcome.THROTTLED, Role.STATUS, http=429, code="http_429"),
        ],
    )
    def test_a_look_that_was_deferred_or_failed_does_not_make_it_less_certain(
        self, event: Answered | None
    ) -> None:
        late = NOW + 4_200_000
        read, _ = decision(journey(looked=late - 10_000), status("PENDING"), now=late - 9_000)

        looking, _ = decision(read, Woken(), now=late - 5_000)
        if event is None:
            looked = deferred(looking, NOW + 10**9, "quota", late - 5_000)
        else:
            looked, _ = decision(reading(looking, late - 5_000), event, now=late - 4_000)
        after, effects = decision(looked, Woken(), now=late)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")
        assert effects == (Emit("expired"),)

    def test_a_look_that_was_sent_in_time_and_answered_late_is_not_certain(self) -> None:
        """The vendor may have looked before the link's life was over."""
        late = NOW + 4_200_000
        link_ended = late - 3_600_000
        read, _ = decision(journey(looked=link_ended - 1), status("PENDING"), now=link_ended + 900)

        _, effects = decision(read, Woken(), now=late)

        assert [type(each) for each in effects] == [Call]

    @pytest.mark.parametrize(
        "changes",
        [
            {"found_open": NOW + 4_200_000 - 3_600_001},
            {"found_open": 0, "looked": NOW + 4_200_000 - 1},
            {"evidence": "AUTHENTICATED"},
            {"evidence": "CONSENT_DENIED"},
            {"ask": "first"},
            {"status": "?"},
            {"misses": 1},
        ],
    )
    def test_where_that_is_not_certain_the_vendor_is_asked(self, changes: dict[str, Any]) -> None:
        late = NOW + 4_200_000

        _, effects = decision(journey(**{"found_open": late - 1, **changes}), Woken(), now=late)

        assert [type(each) for each in effects] == [Call]
