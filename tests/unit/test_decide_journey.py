"""The rules of DigiLocker journeys."""

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


def with_read_admitted(before: Row, now: int = NOW) -> Row:
    """Return the row after its status read was admitted."""
    return admitted(before, Call(Role.STATUS), now)


class TestDigilocker:
    def test_a_created_journey_waits_for_its_person(self) -> None:
        body = {"verification_id": "v1", "status": "PENDING", "url": "https://vendor/dgl/1"}

        after, effects = decision(sent("digilocker"), answered(Outcome.OK, body=body))

        assert (after.state, after.link) == (State.PENDING, "https://vendor/dgl/1")
        assert after.deadline == NOW + (600 + 3600) * 1000
        assert NOW < after.due < NOW + 60_000
        assert effects == (Emit("link_ready"),)

    def test_a_pending_journey_is_polled_at_growing_intervals(self) -> None:
        first, _ = decision(journey(), status("PENDING"))
        second, _ = decision(first, status("PENDING"))

        assert (first.state, second.state) == (State.PENDING, State.PENDING)
        assert second.due > first.due > NOW

    def test_consented_documents_are_fetched_one_by_one_and_the_last_ends_the_journey(self) -> None:
        consented, first = decision(
            journey(), status("AUTHENTICATED", document_consent=["AADHAAR", "PAN"])
        )
        half, second = decision(
            consented, answered(Outcome.OK, Role.DOCUMENT, item="AADHAAR", body={"uid": "x"})
        )
        done, last = decision(
            half, answered(Outcome.OK, Role.DOCUMENT, item="PAN", body={"pan": "y"})
        )

        assert first == (Call(Role.DOCUMENT, "AADHAAR"),)
        assert second == (Call(Role.DOCUMENT, "PAN"),)
        assert (done.state, done.status, last) == (State.DONE, "AUTHENTICATED", (Emit("done"),))
        assert done.result is not None
        assert set(done.result["documents"]) == {"AADHAAR", "PAN"}

    @pytest.mark.parametrize("consent", [None, []])
    def test_a_null_or_empty_consent_is_done_without_documents(self, consent: object) -> None:
        after, _ = decision(journey(), status("AUTHENTICATED", document_consent=consent))

        assert (after.state, after.reason) == (State.DONE, "nothing_shared")
        assert after.result is not None
        assert after.result["documents"] == {}

    @pytest.mark.parametrize(
        ("requested", "reason"), [(["PAN"], ""), (["AADHAAR", "PAN"], "partial")]
    )
    def test_a_consent_to_fewer_documents_than_requested_is_done_in_part(
        self, requested: list[str], reason: str
    ) -> None:
        asked = journey(request={"document_requested": requested})
        consented, _ = decision(asked, status("AUTHENTICATED", document_consent=["PAN"]))

        after, _ = decision(
            consented, answered(Outcome.OK, Role.DOCUMENT, item="PAN", body={"pan": "y"})
        )

        assert (after.state, after.reason) == (State.DONE, reason)

    @pytest.mark.parametrize(
        ("reported", "state"),
        [("EXPIRED", State.EXPIRED), ("CONSENT_DENIED", State.DENIED), ("FAILED", State.FAILED)],
    )
    def test_a_final_status_of_the_vendor_ends_the_journey(
        self, reported: str, state: State
    ) -> None:
        after, effects = decision(journey(), status(reported))

        assert after.state is state
        assert effects == (Emit(state.lower()),)

    def test_a_document_that_is_not_ready_is_requested_again(self) -> None:
        waiting = journey(todo=("PAN",), draft={"documents": {}})

        after, effects = decision(
            waiting, answered(Outcome.WAIT, Role.DOCUMENT, item="PAN", http=202)
        )

        assert (after.state, after.todo, effects) == (State.PENDING, ("PAN",), ())
        assert after.due > NOW

    def test_a_journey_with_one_document_gone_is_done_with_a_partial_result(self) -> None:
        got = {"status": "AUTHENTICATED", "documents": {"AADHAAR": {"uid": "x"}}}
        half = journey(todo=("PAN",), draft=got)

        after, _ = decision(
            half, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.DONE, "partial")
        assert after.result is not None
        assert after.result["documents"]["PAN"]["reason"] == "session_expired"

    def test_a_journey_fails_when_all_of_its_documents_are_gone(self) -> None:
        none = journey(todo=("PAN",), draft={"documents": {}})

        after, _ = decision(
            none, answered(Outcome.GONE, Role.DOCUMENT, item="PAN", code="session_expired")
        )

        assert (after.state, after.reason) == (State.FAILED, "session_expired")

    def test_an_ambiguous_create_is_followed_by_a_status_read(self) -> None:
        ambiguous = replace(row("digilocker", ambiguous=1, attempts=1), state=State.UNKNOWN)

        _, effects = decision(ambiguous, Woken())

        assert effects == (Call(Role.STATUS, lane=Lane.NORMAL),)

    def test_a_journey_whose_link_was_lost_continues_in_a_new_generation(self) -> None:
        ambiguous = replace(row("digilocker", ambiguous=1, attempts=1), state=State.UNKNOWN)

        after, effects = decision(ambiguous, status("PENDING"))

        assert (after.state, after.generation, after.ambiguous) == (State.ACCEPTED, 2, 0)
        assert effects == (Emit("reissued"),)
        assert "lost_link" in after.generations[0]

    def test_a_create_is_retried_after_two_reads_found_nothing(self) -> None:
        ambiguous = replace(row("digilocker", ambiguous=1, attempts=1), state=State.UNKNOWN)
        missing = answered(Outcome.MISSING, Role.STATUS, http=404)

        once, nothing = decision(ambiguous, missing)
        twice, call = decision(once, missing)

        assert (once.state, nothing) == (State.UNKNOWN, ())
        assert (twice.generation, call) == (1, (Call(Role.CREATE),))

    def test_a_duplicate_after_an_ambiguous_attempt_is_followed_by_a_read(self) -> None:
        _, effects = decision(
            sent("digilocker", ambiguous=1), answered(Outcome.DUPLICATE, http=409)
        )

        assert effects == (Call(Role.STATUS),)

    def test_a_pending_journey_expires_at_the_vendors_deadline(self) -> None:
        after, _ = decision(journey(), status("PENDING"), now=NOW + 4_200_000)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")

    def test_an_unreadable_journey_is_decided_by_signed_evidence(self) -> None:
        late = NOW + 4_200_000 + POLICY.stuck

        denied, _ = decision(journey(evidence="CONSENT_DENIED"), Woken(), now=late)
        parked, _ = decision(journey(), Woken(), now=late)
        unknown, _ = decision(journey(evidence="AUTHENTICATED"), Woken(), now=late)

        assert denied.state is State.DENIED
        assert (parked.state, parked.reason) == (State.PARKED, "status_unreadable")
        assert unknown.state is State.PARKED

    def test_a_journey_without_a_document_at_its_deadline_fails(self) -> None:
        after, _ = decision(
            journey(todo=("PAN",), draft={"documents": {}}), Woken(), now=NOW + 4_200_000
        )

        assert (after.state, after.reason) == (State.FAILED, "deadline")


class TestLanes:
    @pytest.mark.parametrize(
        ("ask", "lane"), [("first", Lane.HIGH), ("again", Lane.NORMAL), ("", Lane.LOW)]
    )
    def test_a_requested_read_has_a_higher_lane_than_a_poll(self, ask: str, lane: Lane) -> None:
        after, effects = decision(journey(ask=ask), Woken())

        assert effects == (Call(Role.STATUS, lane=lane),)
        assert (after.ask, after.checked) == (ask, 0)
        assert (with_read_admitted(after).ask, with_read_admitted(after).checked) == ("", NOW)

    def test_requested_reads_are_counted_and_polls_are_not(self) -> None:
        asked = with_read_admitted(journey(ask="first"))
        again = with_read_admitted(replace(asked, ask="again"))
        read, _ = decision(again, status("PENDING"))
        polled = with_read_admitted(read)

        assert (asked.asks, again.asks, polled.asks) == (1, 2, 2)

    def test_a_deferred_read_stays_requested(self) -> None:
        asked, _ = decision(journey(ask="first"), Woken())

        after = deferred(asked, NOW + 700, "quota", NOW)

        assert (after.ask, after.asks, after.due) == ("first", 0, NOW + 700)

    @pytest.mark.parametrize("ask", ["first", "again"])
    def test_a_requested_read_without_an_answer_is_repeated_in_its_lane(self, ask: str) -> None:
        asked = with_read_admitted(journey(ask=ask))
        failed, _ = decision(asked, answered(Outcome.UNKNOWN, Role.STATUS, http=502))

        _, after_failure = decision(failed, Woken())
        _, after_death = decision(asked, Woken())

        lane = Lane.HIGH if ask == "first" else Lane.NORMAL
        assert after_failure == after_death == (Call(Role.STATUS, lane=lane),)
        done, _ = decision(asked, status("PENDING"))
        assert (done.ask, done.asking) == ("", "")

    def test_the_read_after_an_ambiguous_create_has_a_higher_lane_than_a_poll(self) -> None:
        ambiguous = replace(row("digilocker", ambiguous=1, attempts=1), state=State.UNKNOWN)

        for priority, lane in (("", Lane.NORMAL), ("high", Lane.HIGH)):
            _, effects = decision(replace(ambiguous, priority=priority), Woken())
            assert effects == (Call(Role.STATUS, lane=lane),)

    def test_creates_and_documents_of_a_high_priority_row_have_the_high_lane(self) -> None:
        _, create = decision(row("digilocker", priority="high"), Woken())
        half = journey(priority="high", todo=("PAN",), draft={"documents": {}})
        _, document = decision(half, Woken())

        assert create == (Call(Role.CREATE, lane=Lane.HIGH),)
        assert document == (Call(Role.DOCUMENT, "PAN", Lane.HIGH),)

    def test_a_new_generation_starts_without_requested_reads(self) -> None:
        ambiguous = row("digilocker", ambiguous=1, attempts=1, ask="again", asks=7, asked=NOW - 5)

        after, _ = decision(replace(ambiguous, state=State.UNKNOWN), status("PENDING"))

        assert (after.generation, after.ask, after.asks, after.asked) == (2, "", 0, 0)


class TestPolls:
    PACE = 1_200_000

    def test_a_poll_is_planned_no_earlier_than_the_pace_allows(self) -> None:
        body = {"verification_id": "v1", "status": "PENDING", "url": "https://vendor/dgl/1"}

        created, _ = decision(sent("digilocker"), answered(Outcome.OK, body=body), pace=self.PACE)
        polled, _ = decision(journey(tries=9), status("PENDING"), pace=self.PACE)

        for after in (created, polled):
            assert NOW + self.PACE <= after.due <= NOW + self.PACE * 5 // 4

    @given(
        open_journeys=st.integers(1, 50_000), limit=st.integers(1, 10_000), jitter=st.floats(0, 1)
    )
    def test_planned_polls_use_at_most_half_of_the_quota(
        self, open_journeys: int, limit: int, jitter: float
    ) -> None:
        pace = 2 * open_journeys * 60_000 // limit
        kind = KINDS["digilocker"]
        far = replace(journey(), deadline=NOW + 10**12)

        after, _ = decide(far, status("PENDING"), NOW, kind, POLICY, jitter, pace)

        polls_a_minute = open_journeys * 60_000 / (after.due - NOW)
        assert polls_a_minute <= limit / 2 + 1

    def test_no_poll_is_planned_for_after_the_deadline(self) -> None:
        after, _ = decision(journey(), status("PENDING"), pace=10**9)

        assert after.due == after.deadline

    def test_a_journey_found_pending_after_its_link_ended_expires_without_a_read(self) -> None:
        late = NOW + 4_200_000
        link_ended = late - 3_600_000
        read, _ = decision(journey(checked=link_ended), status("PENDING"), now=link_ended + 900)

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
    def test_a_deferred_or_failed_read_does_not_invalidate_an_earlier_one(
        self, event: Answered | None
    ) -> None:
        late = NOW + 4_200_000
        read, _ = decision(journey(checked=late - 10_000), status("PENDING"), now=late - 9_000)

        woken, _ = decision(read, Woken(), now=late - 5_000)
        if event is None:
            unread = deferred(woken, NOW + 10**9, "quota", late - 5_000)
        else:
            unread, _ = decision(with_read_admitted(woken, late - 5_000), event, now=late - 4_000)
        after, effects = decision(unread, Woken(), now=late)

        assert (after.state, after.reason) == (State.EXPIRED, "vendor_deadline")
        assert effects == (Emit("expired"),)

    def test_a_read_sent_before_the_link_ended_does_not_prove_expiry(self) -> None:
        """The vendor may have read the status while the link was still valid."""
        late = NOW + 4_200_000
        link_ended = late - 3_600_000
        read, _ = decision(journey(checked=link_ended - 1), status("PENDING"), now=link_ended + 900)

        _, effects = decision(read, Woken(), now=late)

        assert [type(each) for each in effects] == [Call]

    @pytest.mark.parametrize(
        "changes",
        [
            {"found_open": NOW + 4_200_000 - 3_600_001},
            {"found_open": 0, "checked": NOW + 4_200_000 - 1},
            {"evidence": "AUTHENTICATED"},
            {"evidence": "CONSENT_DENIED"},
            {"ask": "first"},
            {"status": "?"},
            {"misses": 1},
        ],
    )
    def test_a_journey_is_read_at_its_deadline_if_its_expiry_is_not_certain(
        self, changes: dict[str, Any]
    ) -> None:
        late = NOW + 4_200_000

        _, effects = decision(journey(**{"found_open": late - 1, **changes}), Woken(), now=late)

        assert [type(each) for each in effects] == [Call]
