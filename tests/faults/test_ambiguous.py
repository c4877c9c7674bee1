"""A thousand calls with an unknown outcome: resolved or parked, none guessed, no new id."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from satyapan.ids import generation_id, hashed_id
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.fault_kinds import DECISIONS, TOYS, request_for
from tests.support.history import History, judge, rows_of
from tests.support.installation import KINDS_AND_QUOTA, SANDBOX_OPTIONS
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
UNECHOED = ("toy_account", "toy_pan_check")
"""Kinds whose replies repeat no id of ours, so that a foreign one looks like our own."""
TOY_SHARE = 0.1
"""Verifications of each toy, per verification of a shipped kind."""
ROUTES = ("passport", "digilocker", *TOYS)


@pytest.fixture
def sandbox_options() -> tuple[str, ...]:
    return SANDBOX_OPTIONS


@pytest.fixture
def harness(redis_url: str, sandbox: Any) -> Harness:
    # Three of four calls fail. Breakers must not open, because every call is needed.
    never = {f"SATYAPAN_BREAKER_{name}": "100000" for name in ("CALLS", "IN_A_ROW")}
    return Harness(redis_url, sandbox.root, **KINDS_AND_QUOTA, **never)


def test_ambiguous_outcomes_are_resolved_or_parked_and_none_is_guessed(harness: Harness) -> None:
    dice = random.Random(SEED)
    for number, fault in enumerate(AMBIGUOUS):
        for route in ROUTES:
            if "foreign_id" in fault and route in UNECHOED:
                continue
            seed = dice.randrange(2**32) + number
            plan: dict[str, Any] = {"times": None, "probability": 0.12, "seed": seed}
            harness.vendor.post("faults", route=route, **plan, **fault)
    history = History()
    shipped = round(SCALE.ambiguous / CHANCE / len(KINDS))
    numbers = {**dict.fromkeys(KINDS, shipped), **dict.fromkeys(TOYS, round(shipped * TOY_SHARE))}
    chosen = [(kind, f"{kind}-{n}") for kind, number in numbers.items() for n in range(number)]
    dice.shuffle(chosen)

    for kind, one in chosen:
        history.submit(harness.verifications, kind, request_for(kind, one), one)
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
    known |= {hashed_id(name) for name in known}
    assert asked <= known, "the vendor received an id that no row has recorded"
    assert {row.generation for row in rows.values() if row.kind != "digilocker"} == {1}


KINDS = ("passport", "digilocker")
CHANCE = 1.0
"""Faults per verification, roughly: ten plans of 12 % hit 72 % of the calls, repeats included."""


def _finish(harness: Harness, kind: str, one: str) -> None:
    """Wait until one is settled. The person of a journey consents or pays in every generation."""
    if kind in DECISIONS:
        for generation in (1, 2, 3):
            name = generation_id(one, generation)
            more: dict[str, Any] = {"documents": []} if kind == "digilocker" else {}
            harness.vendor.post(f"journeys/{name}", decision=DECISIONS[kind], **more)
    if kind == "toy_account":
        for _ in range(3):  # its answer takes two seconds, on the sandbox's clock
            harness.run_once(one)
            harness.hurry(one)
            harness.vendor.post("clock", advance_s=2)
    harness.settle(one, within_s=60, hurried=True)
