"""A thousand calls with an unknown outcome: resolved or parked, none guessed, no new id."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from satyapan.ids import generation_id
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.history import History, judge, rows_of
from tests.support.worker_harness import Harness

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
SCALE = scale()
SEED = random.SystemRandom().randrange(2**32)
AMBIGUOUS: tuple[dict[str, Any], ...] = (
    {"cut": "before_status"},
    {"cut": "before_status", "executed": False},
    {"cut": "in_headers"},
    {"cut": "in_body"},
    {"garbled": True},
    {"foreign_id": True},
    {"status": 500},
    {"status": 500, "executed": True},
    {"status": 502, "executed": True},
    {"redirect": "/elsewhere", "executed": True},
)
PLENTY = "passport=1000000,digilocker=1000000,digilocker_status=1000000"


@pytest.fixture
def harness(redis_url: str, sandbox: Any) -> Harness:
    # Three of four calls fail. Breakers must not open, because every call is needed.
    never = {f"SATYAPAN_BREAKER_{name}": "100000" for name in ("CALLS", "IN_A_ROW")}
    harness = Harness(redis_url, sandbox.root, SATYAPAN_QUOTA_PER_MINUTE=PLENTY, **never)
    for route in ("passport", "digilocker", "digilocker_status"):
        harness.vendor.post("quota", route=route, per_minute=1_000_000)
    return harness


def test_ambiguous_outcomes_are_resolved_or_parked_and_none_is_guessed(harness: Harness) -> None:
    dice = random.Random(SEED)
    for number, fault in enumerate(AMBIGUOUS):
        for route in ("passport", "digilocker"):
            seed = dice.randrange(2**32) + number
            plan: dict[str, Any] = {"times": None, "probability": 0.12, "seed": seed}
            harness.vendor.post("faults", route=route, **plan, **fault)
    history = History()
    jobs = [(kind, f"{kind}-{n}") for n in range(SCALE.ambiguous) for kind in KINDS]
    chosen = jobs[: round(SCALE.ambiguous / CHANCE)]

    for kind, one in chosen:
        history.submit(harness.verifications, kind, harness.example(kind), one)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: _finish(harness, *job), chosen))

    ids = history.accepted()
    for one in ids * 2:
        history.read(harness.verifications, one)
    history.listen(harness.verifications)
    rows = rows_of(harness.verifications, ids)
    verdict = judge(history, harness.vendor.get("audit")["audit"], rows, least_done=0.1)
    calls = harness.vendor.get("calls")["calls"]
    injected = sum(1 for call in calls if call["fault"])
    reasons = Counter(row.reason.partition("/")[0] for row in rows.values())
    figures = {**verdict.figures, "injected": injected, "seed": SEED, "reasons": dict(reasons)}
    ExperimentLog(SCALE).record("ambiguous outcomes", "mixed", good=verdict.good, **figures)
    assert verdict.good, f"seed {SEED}: {verdict}"
    assert injected >= SCALE.ambiguous
    asked = {call["verification_id"] for call in calls if call["verification_id"]}
    known = {generation_id(r.id, g) for r in rows.values() for g in range(1, r.generation + 1)}
    assert asked <= known, "the vendor received an id that no row has recorded"
    assert {row.generation for row in rows.values() if row.kind == "passport"} == {1}


KINDS = ("passport", "digilocker")
CHANCE = 1.0
"""Faults per verification, roughly: ten plans of 12 % hit 72 % of the calls, repeats included."""


def _finish(harness: Harness, kind: str, one: str) -> None:
    """Wait until one is settled. The person of a journey gives consent in every generation."""
    if kind == "digilocker":
        for generation in (1, 2, 3):
            name = generation_id(one, generation)
            harness.vendor.post(f"journeys/{name}", decision="allow", documents=[])
    harness.settle(one, within_s=60, hurried=True)
