"""decide() in a simulated world with faults: promises I1 to I6 and I15 hold in every sequence."""

from math import ceil
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from satyapan.kinds.model import Mode, Recovery
from satyapan.records import SETTLED, TERMINAL, Row, State
from tests.model.promises import PROMISES
from tests.model.world import NAMES, Fate, World, operation_of
from tests.support.experiment_log import ExperimentLog, scale
from worker.rules.model import Redriven, Reissued

SCALE: Final = scale()
LENGTH: Final = 25
WAITS: Final = (1, 1_000, 20_000, 91_000, 601_000, 3_700_000, 90_000_000)


class Story(RuleBasedStateMachine):
    """Makes anything happen in any order, and checks the invariants after every step."""

    kind: str
    """The kind of all its rows: rows of different kinds share nothing."""
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(target=ids)
    def begin(self) -> MultipleResults[str]:
        return multiple(*(self.world.submit(self.kind, number) for number in range(3)))

    @rule(target=ids, number=st.integers(3, 4))
    def submit(self, number: int) -> str:
        return self.world.submit(self.kind, number)

    @rule(name=ids, fates=st.lists(st.sampled_from(Fate), max_size=4))
    def calls_are_made(self, name: str, fates: list[Fate]) -> None:
        self.world.meet(name, fates)

    @rule()
    def faults_pause(self) -> None:
        self.world.finish()

    @rule(ms=st.sampled_from(WAITS))
    def time_passes(self, ms: int) -> None:
        self.world.pass_time(ms)

    @rule(name=ids, state=st.sampled_from([State.DONE, State.DENIED, State.PENDING]))
    def vendor_knows(self, name: str, state: State) -> None:
        self.world.act(name, state)

    @rule(
        name=ids,
        claimed=st.sampled_from([None, State.DONE, State.DENIED, State.EXPIRED, State.FAILED]),
    )
    def hint(self, name: str, claimed: State | None) -> None:
        self.world.hint(name, claimed)

    @rule(name=ids)
    def redrive(self, name: str) -> None:
        self.world.by_hand(name, Redriven())

    @rule(name=ids)
    def reissue(self, name: str) -> None:
        self.world.by_hand(name, Reissued("asha"))

    @invariant()
    def the_promises_hold(self) -> None:
        for promise in PROMISES:
            promise(self.world)

    def teardown(self) -> None:
        """Assert that every row ends or waits for a person once the faults are over."""
        self.world.finish()
        assert all(row.state in SETTLED for row in self.world.rows.values())
        self.the_promises_hold()
        self.what_a_read_answers_ends_by_a_redrive()
        self.the_promises_hold()

    def what_a_read_answers_ends_by_a_redrive(self) -> None:
        """Assert that no row stays parked whose answer can be read, but for a lost link."""
        readable = [row.id for row in self.world.rows.values() if can_be_read(row)]
        self.world.resume_all()
        self.world.resume_all()  # what only the first redrive made the vendor execute
        for name in readable:
            assert self.world.rows[name].state in TERMINAL, (name, self.world.rows[name].reason)


def can_be_read(row: Row) -> bool:
    """Return True if a read finds the answer of a row, or that there is none."""
    operation = operation_of(row)
    known = operation.recovery is Recovery.READ or row.status
    return bool(known) and operation.mode is not Mode.JOURNEY


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(SCALE.storms))
@pytest.mark.parametrize("kind", NAMES)
def test_the_promises_hold_in_any_sequence_of_events(kind: str, number: int) -> None:
    key, log = f"stories-{kind}-{number}", ExperimentLog(SCALE)
    stories = ceil(SCALE.steps / SCALE.storms / len(NAMES) / LENGTH)
    if SCALE.long and log.succeeded("model", key):
        pytest.skip("in the log")

    run_state_machine_as_test(
        type("Story", (Story,), {"kind": kind}),
        settings=settings(
            max_examples=stories,
            stateful_step_count=LENGTH,
            deadline=None,
            print_blob=True,
        ),
    )

    log.record("model", key, good=True, steps=stories * LENGTH)
