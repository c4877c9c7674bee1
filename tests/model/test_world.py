"""decide() in a simulated world with faults: promises I1 to I6 and I15 hold in every sequence."""

from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from satyapan.ids import generation_id
from satyapan.records import SETTLED, TERMINAL, State
from tests.model.world import POLICY, TEMPLATE, Fate, World
from tests.support.experiment_log import ExperimentLog, scale
from worker.rules.model import Redriven, Reissued

SCALE: Final = scale()
LENGTH: Final = 50
WAITS: Final = (1, 1_000, 20_000, 91_000, 601_000, 3_700_000, 90_000_000)


class Story(RuleBasedStateMachine):
    """Makes anything happen in any order, and checks the invariants after every step."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(
        target=ids,
        kind=st.sampled_from(["passport", "digilocker", "static_kyc_link"]),
        number=st.integers(0, 2),
    )
    def submit(self, kind: str, number: int) -> str:
        name = f"{kind}-{number}"
        self.world.submit(kind, name)
        return name

    @rule(name=ids, fates=st.lists(st.sampled_from(Fate), max_size=4))
    def run_once(self, name: str, fates: list[Fate]) -> None:
        self.world.run(name, fates)

    @rule(ms=st.sampled_from(WAITS))
    def time_passes(self, ms: int) -> None:
        self.world.pass_time(ms)

    @rule(name=ids, status=st.sampled_from(["AUTHENTICATED", "CONSENT_DENIED"]))
    def person_decides(self, name: str, status: str) -> None:
        self.world.act(name, status)

    @rule(
        name=ids,
        claimed=st.sampled_from(["", "AUTHENTICATED", "CONSENT_DENIED", "EXPIRED", "FAILED"]),
    )
    def hint(self, name: str, claimed: str) -> None:
        self.world.hint(name, claimed)

    @rule(name=ids)
    def redrive(self, name: str) -> None:
        self.world.by_hand(name, Redriven())

    @rule(name=ids)
    def reissue(self, name: str) -> None:
        self.world.by_hand(name, Reissued("asha"))

    @invariant()
    def each_generation_is_charged_at_most_once(self) -> None:
        charges = [one for one in self.world.vendor.charges if one != TEMPLATE]
        assert len(charges) == len(set(charges))

    @invariant()
    def a_template_is_bought_again_only_by_an_operator(self) -> None:
        bought = self.world.vendor.charges.count(TEMPLATE)
        asked = sum(n for name, n in self.world.authorised.items() if name.startswith("static"))
        assert bought <= 1 + asked

    @invariant()
    def every_ambiguous_attempt_has_an_admitted_call(self) -> None:
        for row in self.world.rows.values():
            assert row.ambiguous <= self.world.sent[generation_id(row.id, row.generation)]

    @invariant()
    def every_generation_is_recorded(self) -> None:
        for row in self.world.rows.values():
            assert len(row.generations) == row.generation - 1
            assert row.generation <= POLICY.max_generations

    @invariant()
    def a_passport_is_bought_again_only_by_an_operator(self) -> None:
        for row in self.world.rows.values():
            if row.kind == "passport":
                assert row.generation - 1 <= self.world.authorised.get(row.id, 0)

    @invariant()
    def final_rows_do_not_change(self) -> None:
        for name, final in self.world.finals.items():
            assert self.world.rows[name] == final

    @invariant()
    def exactly_the_open_rows_are_due(self) -> None:
        for row in self.world.rows.values():
            assert (row.due == 0) == (row.state in SETTLED)

    @invariant()
    def every_end_has_exactly_one_event(self) -> None:
        ends = [e for e in self.world.events if e[1].upper() in TERMINAL]
        assert len(ends) == len(set(ends)) == len({name for name, _ in ends})
        assert {name for name, _ in ends} == set(self.world.finals)

    @invariant()
    def attempts_are_bounded(self) -> None:
        assert all(row.attempts <= POLICY.max_attempts for row in self.world.rows.values())

    def teardown(self) -> None:
        """Assert that every row ends or waits for a person once the faults are over."""
        self.world.finish()
        for row in self.world.rows.values():
            assert row.state in SETTLED
            if row.state is State.DONE and row.kind == "passport":
                assert row.status == "VALID"
        self.each_generation_is_charged_at_most_once()
        self.every_end_has_exactly_one_event()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(SCALE.storms))
def test_the_promises_hold_in_any_sequence_of_events(number: int) -> None:
    key, steps, log = f"stories-{number}", SCALE.steps // SCALE.storms, ExperimentLog(SCALE)
    if SCALE.long and log.succeeded("model", key):
        pytest.skip("in the log")

    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=steps // LENGTH,
            stateful_step_count=LENGTH,
            deadline=None,
            print_blob=True,
        ),
    )

    log.record("model", key, good=True, steps=steps)
