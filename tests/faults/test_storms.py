"""Random kills under load: nothing is lost or paid twice, unlike with plain Celery."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.experiment_log import ExperimentLog, scale
from tests.support.installation import Services
from tests.support.storm import PlainCelerySide, SatyapanSide, StormPlan, run_storm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]
SCALE = scale()
SEED = random.SystemRandom().randrange(2**32)
LATENCY = ("--latency-ms", "60")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path, sandbox_args=LATENCY) as services:
        yield services


@pytest.mark.parametrize("number", range(SCALE.storms))
def test_random_kills_under_load_lose_nothing_and_pay_once(services: Services, number: int) -> None:
    pool = ("threads", "prefork")[number % 2]
    key, log = f"{pool}-{number}", ExperimentLog(SCALE)
    if SCALE.long and log.succeeded("storm, satyapan", key):
        pytest.skip("in the log")
    plan = StormPlan("storm", SEED + number, SCALE.jobs, SCALE.kills, SCALE.restarts, pool=pool)
    ours = SatyapanSide(services, plan)

    took = run_storm(ours, services, plan)

    verdict = ours.verdict()
    figures = {**verdict.figures, "seed": plan.seed, "kills": plan.kills, "seconds": round(took)}
    log.record("storm, satyapan", key, good=verdict.good, **figures)
    assert verdict.good, f"seed {plan.seed}: {verdict}"


def test_the_same_kills_harm_a_plain_celery_task(services: Services) -> None:
    plan = StormPlan("plain", SEED, SCALE.jobs, SCALE.kills, SCALE.restarts)
    control = PlainCelerySide(services)

    took = run_storm(control, services, plan)

    figures = control.figures()
    ExperimentLog(SCALE).record(
        "storm, plain celery", "threads", good=True, seconds=round(took), **figures
    )
    # If a plain task survived this unharmed, these kills would prove nothing about Satyapan.
    assert figures["lost"] + figures["run_twice"] > 0, f"seed {SEED}"
