"""Faults at every failpoint, for every kind: nothing is lost and nothing is paid twice."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.experiment_log import LONG, SHORT, ExperimentLog, Scale, scale
from tests.support.failpoint_cases import (
    ACTIONS,
    COMBINATIONS,
    CaseOutcome,
    FailpointCase,
    applies,
    interleave,
    run_case,
)
from tests.support.fault_kinds import LOST_ANSWER_ENDS, TOYS
from tests.support.history import REPEATABLE
from tests.support.installation import LEASE_S, SWEEP_S, Services

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
AT_ONCE = 20
BATCH = 10
RESTARTS_AT_ONCE = 10  # fewer, because all cases share the server that restarts


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path) as services:
        yield services


def run_all(
    services: Services, cases: list[FailpointCase], log: ExperimentLog, at_once: int = AT_ONCE
) -> list[CaseOutcome]:
    """Run the cases that aren't in the log yet, and record how they ended."""
    outcomes: list[CaseOutcome] = []

    def report(outcome: CaseOutcome) -> None:
        outcomes.append(outcome)
        case, verdict = outcome.case, outcome.verdict
        figures = {**verdict.figures, "ends": sorted(set(outcome.ends))}
        log.record(f"points, {case.action}", case.name, good=verdict.good, **figures)

    stuck: list[str] = []

    def recorded(case: FailpointCase) -> Iterator[None]:
        """Run a case; if it gets stuck, record that and continue with the others."""
        try:
            yield from run_case(case, services, report)
        except AssertionError as problem:
            stuck.append(str(problem))
            log.record(f"points, {case.action}", case.name, good=False, why=str(problem))

    done = {(note["suite"], note["key"]) for note in log.records() if note["good"]}
    missing = [c for c in cases if (f"points, {c.action}", c.name) not in done]
    interleave([recorded(case) for case in missing], at_once)
    assert stuck == []
    return outcomes


def broken(outcomes: list[CaseOutcome]) -> list[str]:
    """List the cases with violations, each with its verdict."""
    return [f"{o.case.name}: {o.verdict}" for o in outcomes if not o.verdict.good]


def unjudged(services: Services, outcomes: list[CaseOutcome]) -> list[object]:
    """List the charges that no case found among its own: nobody would miss them."""
    judged = frozenset[int]().union(*(found.judged for found in outcomes))
    paid = [entry for entry in services.audit() if entry["charge"] not in REPEATABLE]
    return [entry for entry in paid if entry["n"] not in judged]


@pytest.mark.skipif(scale().long, reason="the long form does this and more")
def test_a_process_killed_at_any_point_loses_nothing_and_pays_once(services: Services) -> None:
    runs = dict.fromkeys(TOYS, 1)  # the long form takes as many as of the others
    cases = [
        FailpointCase(point, kind, runs=runs.get(kind, SHORT.runs)) for point, kind in COMBINATIONS
    ]

    outcomes = run_all(services, cases, ExperimentLog(SHORT))

    assert broken(outcomes) == []
    assert unjudged(services, outcomes) == []
    assert len(outcomes) == len(COMBINATIONS)
    for found in outcomes:
        sure = LOST_ANSWER_ENDS.get((found.case.point, found.case.kind), "DONE")
        assert set(found.ends) == {sure}, found.case.name
    # Only recovery follows the last fault of a case, so only its time is compared.
    times = sorted(found.recovery_s[-1] for found in outcomes if found.case.kind == "passport")
    bound = LEASE_S + 2 * SWEEP_S
    print(f"seconds from a kill to the end: {[round(t, 1) for t in times]}, bound {bound:.1f}")
    assert statistics.median(times) <= bound + 2
    # The slowest may take one lease and some time of the machine, but not a second lease.
    assert times[-1] < 2 * LEASE_S


@pytest.mark.skipif(not scale().long, reason="the long form: python3 run.py faults")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", ACTIONS)
def test_any_fault_at_any_point_loses_nothing_and_pays_once(
    services: Services, action: str
) -> None:
    at_once = RESTARTS_AT_ONCE if action == "redis-restart" else AT_ONCE
    outcomes = run_all(services, long_cases(action, LONG), ExperimentLog(LONG), at_once)

    assert broken(outcomes) == []
    assert unjudged(services, outcomes) == []


def long_cases(action: str, form: Scale) -> list[FailpointCase]:
    """List the cases of one action, in batches of a size that one installation can run."""
    runs = form.runs if action == "kill" else form.others
    return [
        FailpointCase(point, kind, action, runs=BATCH, batch=batch)
        for batch in range(runs // BATCH)
        for point, kind in COMBINATIONS
        if applies(action, point)
    ]
