"""The rules of shared links."""

from dataclasses import replace

import pytest

from satyapan.kinds.model import Role
from satyapan.records import State
from tests.support.decision_builders import answered, decision, journey, row, sent
from worker.rules.answer import Outcome
from worker.rules.model import Acquire, Acquired, Cached, Call, Emit, VisitorWebhook, Woken


class TestStaticLink:
    def test_a_link_is_created_only_after_its_row_acquired_the_template(self) -> None:
        woken, first = decision(row("static_kyc_link"), Woken())
        acquired, second = decision(woken, Acquired())

        assert first == (Acquire(),)
        assert (acquired, second) == (woken, (Call(Role.CREATE),))

    def test_a_cached_link_costs_no_call(self) -> None:
        result = {"static_link": "https://x", "status": "ACTIVE"}
        cached = Cached("ACTIVE", "", "https://x", result)

        after, effects = decision(row("static_kyc_link"), cached)

        assert (after.state, after.attempts, after.result) == (State.DONE, 0, result)
        assert effects == (Emit("done"),)

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN])
    def test_an_ambiguous_create_is_parked_and_never_retried(self, outcome: Outcome) -> None:
        after, _ = decision(sent("static_kyc_link"), answered(outcome, code="cut"))
        abandoned, _ = decision(sent("static_kyc_link"), Woken())

        assert (after.state, after.reason) == (State.PARKED, "unknown_outcome/cut")
        assert abandoned.state is State.PARKED

    def test_each_webhook_about_a_visitor_emits_an_event(self) -> None:
        visit = replace(journey(parent="v0"), kind="static_kyc_link", state=State.PENDING)
        step = VisitorWebhook(State.PENDING, "RECEIVED", "9", {"form_status": "RECEIVED"})
        end = VisitorWebhook(State.DONE, "SUCCESS", "9", {"form_status": "SUCCESS"})

        begun, first = decision(visit, step)
        ended, second = decision(begun, end)

        assert (begun.state, begun.due, first) == (
            State.PENDING,
            visit.deadline,
            (Emit("progress"),),
        )
        assert (ended.state, second) == (State.DONE, (Emit("done"),))
