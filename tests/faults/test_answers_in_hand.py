"""Paid answers that workers hold while Redis is unavailable: all of them reach their rows."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from satyapan import State
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.installation import LEASE_S, Services, gone
from tests.support.outage import REQUEST, Trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
SCALE = scale()
IN_FLIGHT: Final = 100
AWAY_S: Final = 30.0 if SCALE.long else 3.0
BEYOND_LEASES_S: Final = 30.0 if SCALE.long else LEASE_S + 3
Outage = Callable[[Trial, float], None]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path, sandbox_args=("--latency-ms", "2000")) as services:
        yield services


@pytest.fixture
def trial(services: Services) -> Iterator[Trial]:
    with Trial(services, "hands", workers=0) as trial:
        yield trial


def restart(trial: Trial, seconds: float) -> None:
    trial.services.stack.server.kill()
    time.sleep(seconds)
    trial.services.stack.server.restart()


def demote(trial: Trial, seconds: float) -> None:
    with trial.server as server:
        server.replicaof("127.0.0.1", "1")
        time.sleep(seconds)
        server.replicaof("NO", "ONE")


def refuse_writes(trial: Trial, seconds: float) -> None:
    with trial.server as server:
        server.config_set("min-replicas-to-write", 1)
        time.sleep(seconds)
        server.config_set("min-replicas-to-write", 0)


def calls_under_way(trial: Trial, workers: int) -> list[str]:
    """Submit as many as can be called at once; return their ids once all calls have begun.

    Workers start afterwards, so that the calls begin together. On a busy machine the first call may
    be answered before the last one begins.
    """
    ids = [f"{trial.installation.name}-{number}" for number in range(IN_FLIGHT)]
    for one in ids:
        assert trial.history.submit(trial.installation.producer, "passport", REQUEST, one) == "ok"
    room = str(IN_FLIGHT // workers)
    start = partial(trial.installation.start_worker, SATYAPAN_WORKER_CONCURRENCY=room)
    trial.workers += [start() for _ in range(workers)]
    with trial.server as server:
        trial.wait(lambda: sum(sent_and_done(trial, server)) == IN_FLIGHT, "all calls have begun")
        assert sent_and_done(trial, server)[0] > 0
    return ids


def sent_and_done(trial: Trial, server: Any) -> list[int]:
    """Count both states in one transaction, so that a row that moves isn't counted twice."""
    with server.pipeline(transaction=True) as both:
        for state in (State.SENT, State.DONE):
            both.zcard(f"{trial.installation.name}:index:{state}")
        return list(both.execute())


def note(name: str, trial: Trial, ids: list[str]) -> None:
    """Record the run; assert that all rows have their answer, at one charge each."""
    rows = [trial.installation.producer.get(one) for one in ids]
    parked = [row.reason for row in rows if row and row.state is State.PARKED]
    verdict = trial.judge(least_done=1.0)
    ExperimentLog(SCALE).record(
        "answers in hand", name, good=verdict.good, **{**verdict.figures, "parked": len(parked)}
    )
    assert not parked
    assert verdict.good, str(verdict)
    assert {row.attempts for row in rows if row} == {1}


@pytest.mark.parametrize(
    ("outage", "seconds"),
    [(restart, BEYOND_LEASES_S), (demote, AWAY_S), (refuse_writes, AWAY_S)],
    ids=["restart", "demote", "refuse_writes"],
)
def test_paid_answers_reach_their_rows_after_redis_was_unavailable(
    trial: Trial, outage: Outage, seconds: float
) -> None:
    ids = calls_under_way(trial, workers=2)

    outage(trial, seconds)
    trial.settle()

    note(f"{outage.__name__} {seconds:g} s", trial, ids)


def test_a_worker_stopped_during_an_outage_stores_its_answers_before_it_exits(trial: Trial) -> None:
    # One worker: of two that share the calls, the one that starts later may get none, and end.
    ids = calls_under_way(trial, workers=1)
    server = trial.services.stack.server
    server.kill()
    time.sleep(2.5)  # all calls are answered by then

    (worker,) = trial.workers
    worker.process.terminate()
    time.sleep(2)
    still_there = not gone(worker)
    server.restart()
    trial.wait(lambda: gone(worker), "the worker ends")

    assert still_there
    assert worker.process.returncode == 0
    note("stopped meanwhile", trial, ids)
