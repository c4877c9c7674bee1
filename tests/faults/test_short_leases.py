"""A killed worker's claims are taken over within seconds; a live worker keeps its claims."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from satyapan import State
from satyapan.records import Row
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.history import rows_of
from tests.support.installation import Services, kill_group, said
from tests.support.outage import Trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
SCALE = scale()
CALL_S: Final = 14
ANSWERED_AFTER_THE_KILL_S: Final = 24
"""Longer than a second worker takes to start on a busy machine."""
LONG_CALLS: Final = {
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S": "25",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S": "25",
    "SATYAPAN_VISIBILITY_TIMEOUT_S": "60",
}
USUAL: Final = LONG_CALLS | {"SATYAPAN_WORKER_LEASE_S": "", "SATYAPAN_WORKER_SWEEP_S": ""}
"""The default lease: an empty variable means the default."""
SHORT: Final = LONG_CALLS | {
    "SATYAPAN_REDIS_CONNECT_TIMEOUT_S": "1",
    "SATYAPAN_REDIS_READ_TIMEOUT_S": "2",
    "SATYAPAN_WORKER_LEASE_S": "6",
}
BEYOND_LEASES_S: Final = 8


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path) as services:
        yield services


def calls_under_way(trial: Trial, count: int, call_s: float) -> list[str]:
    """Submit `count` verifications to a slow vendor; return their ids once it has all the calls.

    It isn't enough that the rows are SENT: a worker may be stopped before the first byte.
    """
    fault = {"route": "passport", "latency_ms": round(call_s * 1000), "times": count}
    trial.services.stack.control("faults", fault)
    ids = trial.submit(count)

    def arrived() -> bool:
        audit = trial.services.stack.control("audit")["audit"]
        return {row["verification_id"] for row in audit} >= set(ids)

    trial.wait(arrived, "the vendor has received all calls")
    return ids


def rows(trial: Trial) -> list[Row]:
    """Read all rows as they are stored."""
    return list(rows_of(trial.installation.producer, trial.history.accepted()).values())


def note(name: str, trial: Trial, **figures: object) -> None:
    """Judge by the vendor's audit and the ledger; record the verdict and fail on a violation."""
    verdict = trial.judge(least_done=0.5)
    ExperimentLog(SCALE).record(
        "short leases", name, good=verdict.good, **verdict.figures, **figures
    )
    assert verdict.good, str(verdict)


def test_the_claims_of_a_killed_worker_are_taken_over_within_twenty_seconds(
    services: Services,
) -> None:
    with Trial(services, "killed", 1, **USUAL, SATYAPAN_WORKER_CONCURRENCY="6") as trial:
        sent = calls_under_way(trial, 6, ANSWERED_AFTER_THE_KILL_S)
        waiting = trial.submit(12)  # the worker that is killed has taken the messages of some
        (first,) = trial.workers
        second = trial.installation.start_worker()
        trial.workers.append(second)
        trial.wait(lambda: said(second, "worker ready"), "the second worker")

        killed = time.time()
        kill_group(first)
        trial.settle(within=60)

        ended = rows(trial)
        took = max(row.updated for row in ended) / 1000 - killed
        lost = {row.id for row in ended if row.reason == "lost_answer"}
        note("a worker killed", trial, seconds=round(took, 1), lost_answers=len(lost))
        assert took <= 20
        assert lost == set(sent)
        assert {row.id for row in ended if row.state == State.DONE} == set(waiting)


def nothing(_trial: Trial) -> None:
    """Do nothing: the calls alone take longer than a lease."""


def redis_away(trial: Trial) -> None:
    """Stop Redis for longer than a lease."""
    trial.services.stack.server.kill()
    time.sleep(BEYOND_LEASES_S)
    trial.services.stack.server.restart()


def asleep(trial: Trial) -> None:
    """Stop all workers for longer than a lease, as when a machine sleeps."""
    for worker in trial.workers:
        os.killpg(worker.pid, signal.SIGSTOP)
    time.sleep(BEYOND_LEASES_S)
    for worker in trial.workers:
        os.killpg(worker.pid, signal.SIGCONT)


@pytest.mark.parametrize("disturb", [nothing, redis_away, asleep])
def test_a_live_worker_keeps_its_claims_however_long_its_calls_take(
    services: Services, disturb: Callable[[Trial], None]
) -> None:
    with Trial(services, disturb.__name__, 2, **SHORT) as trial:
        calls_under_way(trial, 4, CALL_S)

        disturb(trial)
        trial.settle()

        ended = rows(trial)
        note(disturb.__name__, trial)
        assert {(row.state, row.fence, row.attempts) for row in ended} == {(State.DONE, 1, 1)}


def test_a_worker_stopped_for_longer_than_a_lease_loses_its_claims(
    services: Services,
) -> None:
    with Trial(services, "still", 1, **SHORT) as trial:
        (one,) = calls_under_way(trial, 1, 4)
        (worker,) = trial.workers
        os.killpg(worker.pid, signal.SIGSTOP)
        trial.workers.append(trial.installation.start_worker())
        trial.settle()
        before = rows(trial)
        os.killpg(worker.pid, signal.SIGCONT)
        trial.wait(lambda: said(worker, "claim was lost"), "it finds its claim lost")

        assert rows(trial) == before
        assert [(row.id, row.state, row.reason) for row in before] == [
            (one, State.PARKED, "lost_answer")
        ]
        verdict = trial.judge(least_done=0.0)
        assert verdict.good, str(verdict)


def test_a_worker_whose_event_loop_is_blocked_loses_its_claims_and_logs_it(
    services: Services,
) -> None:
    with Trial(services, "loop", 0, **SHORT) as trial:
        held = services.folder / "held"
        worker = trial.installation.start_worker(f"claimed:hold:{held}")
        (one,) = trial.submit(1)
        trial.wait(held.exists, "it has claimed the verification")
        trial.workers.append(trial.installation.start_worker())
        trial.settle()
        before = rows(trial)
        trial.wait(lambda: said(worker, "the engine stands still"), "it says so")
        held.unlink()
        trial.wait(lambda: said(worker, "claim was lost"), "it finds its claim lost")

        assert rows(trial) == before
        assert [(row.id, row.state, row.fence) for row in before] == [(one, State.DONE, 2)]
        note("a loop that stands still", trial)
