"""Random kills under load: nothing is lost and nothing is paid twice, unlike the plain control."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.book import Book, scale
from tests.support.installation import Ground
from tests.support.storm import Control, Ours, Plan, blow

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]
SCALE = scale()
SEED = random.SystemRandom().randrange(2**32)
LATENCY = ("--latency-ms", "60")


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with Ground(tmp_path, sandbox_args=LATENCY) as ground:
        yield ground


@pytest.mark.parametrize("number", range(SCALE.storms))
def test_random_kills_under_load_lose_nothing_and_pay_once(ground: Ground, number: int) -> None:
    pool = ("threads", "prefork")[number % 2]
    key, book = f"{pool}-{number}", Book(SCALE)
    if SCALE.long and book.has("storm, satyapan", key):
        pytest.skip("in the book")
    plan = Plan("storm", SEED + number, SCALE.jobs, SCALE.kills, SCALE.restarts, pool=pool)
    ours = Ours(ground, plan)

    took = blow(ours, ground, plan)

    verdict = ours.verdict()
    figures = {**verdict.figures, "seed": plan.seed, "kills": plan.kills, "seconds": round(took)}
    book.note("storm, satyapan", key, good=verdict.good, **figures)
    assert verdict.good, f"seed {plan.seed}: {verdict}"


def test_the_control_shows_what_the_same_storm_does_to_a_plain_task(ground: Ground) -> None:
    plan = Plan("plain", SEED, SCALE.jobs, SCALE.kills, SCALE.restarts)
    control = Control(ground)

    took = blow(control, ground, plan)

    figures = control.figures()
    Book(SCALE).note("storm, plain celery", "threads", good=True, seconds=round(took), **figures)
    # If the plain task came through unharmed, the storm would prove nothing.
    assert figures["lost"] + figures["run_twice"] > 0, f"seed {SEED}"
