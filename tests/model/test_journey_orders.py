"""Redirect, webhooks and polls in any order, repeated or missing: one end with one event.

`SATYAPAN_TEST_ORDERS=100000 pytest tests/model/test_journey_orders.py` tries that many random
interleavings, with delays, lost answers and dying workers in between. The default is 2,000.
"""

import itertools
import os
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from satyapan.records import Row
from tests.support.journey_simulator import (
    BEGIN,
    END,
    LINK_LIFE,
    CallOutcome,
    SimulatedJourney,
    Stimulus,
    Truth,
)

MOST = 5
RANDOM = int(os.environ.get("SATYAPAN_TEST_ORDERS", "2000"))
SECONDS = (0, 1, 300, 1_000, 5_000, 60_000)


def end_of(journey: SimulatedJourney, stimuli: Iterable[Stimulus]) -> Row:
    """Deliver stimuli, each 300 ms after the previous one; return the row at its end."""
    for stimulus in stimuli:
        journey.deliver(stimulus)
        journey.wait(300)
    journey.finish()
    return journey.row


@pytest.mark.parametrize("truth", Truth)
@pytest.mark.parametrize("length", range(MOST + 1))
def test_every_order_of_up_to_five_stimuli_has_the_same_end_and_one_event(
    truth: Truth, length: int
) -> None:
    usual = end_of(SimulatedJourney(truth), [])

    for order in itertools.product(Stimulus, repeat=length):
        journey = SimulatedJourney(truth)
        row = end_of(journey, order)

        assert (row.state, row.reason, row.result) == (END[truth], usual.reason, usual.result)
        assert journey.ends == [END[truth].lower()], order


@pytest.mark.parametrize("truth", Truth)
def test_nothing_after_the_end_changes_it(truth: Truth) -> None:
    journey = SimulatedJourney(truth)
    end = end_of(journey, [])
    events = list(journey.events)

    for stimulus in Stimulus:
        journey.deliver(stimulus)
        journey.wait(7_200_000)

    assert (journey.row, journey.events) == (end, events)


def test_the_end_has_what_the_person_consented_to() -> None:
    row = end_of(SimulatedJourney(Truth.ALLOWED), [Stimulus.DENIED])

    assert set((row.result or {})["documents"]) == {"AADHAAR", "PAN"}


_step = st.tuples(st.sampled_from(Stimulus), st.sampled_from(SECONDS))


@settings(max_examples=RANDOM, deadline=None)
@pytest.mark.timeout(0 if RANDOM > 10_000 else 120)
@given(
    truth=st.sampled_from(Truth),
    acted=st.integers(0, LINK_LIFE - 1_000),
    steps=st.lists(_step, max_size=12),
    outcomes=st.lists(st.sampled_from(CallOutcome), max_size=8),
)
@example(
    truth=Truth.ALLOWED, acted=5_000, steps=[(Stimulus.DENIED, 0)], outcomes=[CallOutcome.LOST]
)
def test_every_interleaving_has_the_same_end(
    truth: Truth, acted: int, steps: list[tuple[Stimulus, int]], outcomes: list[CallOutcome]
) -> None:
    journey = SimulatedJourney(truth, acted_at=BEGIN + acted)
    journey.outcomes = without_many_crashes(outcomes)

    for stimulus, ms in steps:
        journey.deliver(stimulus)
        journey.wait(ms)
    early = list(journey.ends)
    journey.finish()

    assert journey.row.state is END[truth]
    assert journey.ends == [END[truth].lower()]
    assert early in ([], journey.ends)


def without_many_crashes(outcomes: list[CallOutcome]) -> list[CallOutcome]:
    """Keep at most four crashes: a row is parked after five consecutive crashes of its workers."""
    crashes = [at for at, outcome in enumerate(outcomes) if outcome is CallOutcome.CRASH]
    return [outcome for at, outcome in enumerate(outcomes) if at not in crashes[4:]]


def test_frequent_hints_cause_few_additional_status_reads() -> None:
    quiet, loud = SimulatedJourney(Truth.NOTHING), SimulatedJourney(Truth.NOTHING)

    quiet.wait(10_000)
    for _ in range(1_000):
        loud.deliver(Stimulus.REDIRECT)
        loud.deliver(Stimulus.SUCCESS)
        loud.wait(10)

    assert loud.calls - 1 <= 10_000 // 1_000 + quiet.calls
