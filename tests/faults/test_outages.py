"""Faults around the workers: Redis is unavailable, full, demoted, slow, silent or empty."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from demo.supervisor import Child
from satyapan import Verification
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.installation import LEASE_S, Installation, Services, gone
from tests.support.outage import Trial, demote, fill_memory, flush, freeze, lose_data, restart
from tests.support.project import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
SCALE = scale()
JOBS = 40
CLEAN_S = 15.0
HALF_OPEN_S = 40.0
SKEW = """
import os, time
_true, _ahead = time.time, float(os.environ["SKEW_S"])
time.time = lambda: _true() + _ahead
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path, sandbox_args=("--latency-ms", "50")) as services:
        yield services


def note(name: str, trial: Trial, **figures: float) -> None:
    """Judge the trial and record the verdict; fail if there is a violation."""
    verdict = trial.judge()
    ExperimentLog(SCALE).record(
        "outages", name, good=verdict.good, **{**verdict.figures, **figures}
    )
    assert verdict.good, str(verdict)


@pytest.mark.parametrize("outage", [restart, demote, fill_memory, freeze], ids=lambda o: o.__name__)
def test_workers_consume_again_after_an_outage_of_redis(
    services: Services, outage: Callable[[Trial], None]
) -> None:
    with Trial(services, "outage") as trial:
        trial.submit(JOBS)
        outage(trial)
        back = trial.seconds_to_work()
        trial.submit(JOBS)
        trial.settle()

        assert trial.alive() == 2
        note(outage.__name__, trial, consuming_again_s=round(back, 1))
        assert back <= CLEAN_S


@pytest.mark.parametrize("loss", [flush, lose_data], ids=lambda o: o.__name__)
def test_nothing_is_paid_twice_after_redis_lost_all_data(
    services: Services, loss: Callable[[Trial], None]
) -> None:
    with Trial(services, "loss") as trial:
        ids = trial.submit(JOBS)
        loss(trial)
        trial.seconds_to_work()
        for one in ids:
            trial.insist(one)
        trial.settle()

        # Answers from before the loss are lost, but the vendor's audit still has their charges.
        after = {one: trial.installation.producer.get(one) for one in ids}
        trial.history.reads.clear()
        verdict = trial.judge(least_done=0.0)
        ExperimentLog(SCALE).record("outages", loss.__name__, good=verdict.good, **verdict.figures)
        assert set(verdict.violations) <= {"I6 not final"}, str(verdict)
        assert {seen.reason for seen in after.values() if seen} <= {
            "",
            "foreign_duplicate",
            "lost_answer",
        }


def test_two_seconds_of_redis_latency_violate_nothing(services: Services) -> None:
    with services.redis_proxy() as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with Trial(services, "slow", SATYAPAN_REDIS_URL=url) as trial:
            trial.submit(10)
            proxy.down.latency_s = 2.0
            trial.submit(10)
            time.sleep(5)
            proxy.remove_faults()
            trial.settle()

            note("slow by 2 s", trial)


def test_a_half_open_connection_is_detected_in_time(services: Services) -> None:
    with services.redis_proxy() as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with Trial(services, "half", workers=1, SATYAPAN_REDIS_URL=url) as trial:
            trial.submit(5)
            trial.settle()
            proxy.freeze()
            back = trial.seconds_to_work()
            trial.submit(5)
            trial.settle()

            note("half-open", trial, consuming_again_s=round(back, 1))
            assert back <= HALF_OPEN_S


def test_clocks_five_minutes_apart_change_nothing(services: Services, tmp_path: Path) -> None:
    tmp_path.joinpath("sitecustomize.py").write_text(SKEW)
    with Trial(services, "skew", workers=0) as trial:
        for ahead in ("300", "-300"):
            trial.workers.append(
                trial.installation.start_worker(PYTHONPATH=str(tmp_path), SKEW_S=ahead)
            )
        begun = time.time()
        trial.submit(JOBS)
        trial.settle()

        note("clocks 10 min apart", trial)
        rows = [trial.installation.producer.get(one) for one in trial.history.accepted()]
        assert all(abs(row.updated / 1000 - begun) < 200 for row in rows if row)


def test_two_sweepers_at_once_wake_each_row_once(services: Services) -> None:
    with Trial(services, "sweepers", workers=3) as trial:
        trial.submit(100, trial.installation.mute_producer())
        trial.settle()

        note("three sweepers", trial)


@pytest.mark.parametrize("timeout_s", [1, 3600])
def test_a_shell_with_another_visibility_timeout_violates_nothing(
    services: Services, timeout_s: int
) -> None:
    with Trial(services, f"shell-{timeout_s}") as trial:
        trial.submit(JOBS)
        options = {
            "visibility_timeout": timeout_s,
            "global_keyprefix": f"{trial.installation.name}:broker:",
        }
        with Connection(services.stack.server.url, transport_options=options) as shell:
            channel: Any = shell.channel()
            for _ in range(30):
                channel.qos.restore_visible(num=50)
                time.sleep(0.1)
        trial.settle()

        note(f"a shell with {timeout_s} s", trial)


def test_a_row_that_kills_its_workers_is_parked_and_harms_no_neighbour(services: Services) -> None:
    with Trial(services, "poison", workers=0) as trial:
        trial.insist("pill")
        trial.submit(10)
        deaths = 0
        worker = _start_poisoned(trial.installation)
        while not trial._settled("pill"):
            if gone(worker):
                deaths += 1
                _end_leases(trial)
                worker = _start_poisoned(trial.installation)
            time.sleep(0.05)
        trial.settle(within=4 * LEASE_S)

        seen = trial.installation.producer.get("pill")
        assert seen is not None
        assert (seen.state, seen.reason) == ("PARKED", "workers_lost")
        assert deaths == 5
        assert seen.attempts == 0
        neighbours = [row for row in rows_of(trial) if row.id != "pill"]
        # "lost_answer": its call was under way when a worker died.
        assert {row.reason for row in neighbours} <= {"", "lost_answer"}
        verdict = trial.judge(least_done=0.6)
        ExperimentLog(SCALE).record(
            "outages", "poison", good=verdict.good, **verdict.figures, deaths=deaths
        )
        assert verdict.good, str(verdict)


def rows_of(trial: Trial) -> list[Verification]:
    """Read all accepted verifications."""
    found = (trial.installation.producer.get(one) for one in trial.history.accepted())
    return [seen for seen in found if seen is not None]


def _start_poisoned(installation: Installation) -> Child:
    command = [sys.executable, "-m", "tests.support.poisoned_worker"]
    return installation._start("poisoned", command, "", {"PYTHONPATH": str(ROOT)})


def _end_leases(trial: Trial) -> None:
    """End the dead worker's leases now: waiting for that five times would take a minute."""
    with trial.server as server:
        seconds, _ = server.time()
        for key in server.scan_iter(f"{trial.installation.name}:row:*"):
            if server.hexists(key, "lease"):
                server.hset(key, "lease", seconds * 1000 - 1)
                server.zadd(f"{trial.installation.name}:due", {key.rpartition(b":")[2]: 1})
