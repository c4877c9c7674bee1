"""What is parked and never decided about ends, and its data with it."""

import sys
from dataclasses import replace
from itertools import count
from typing import Any

import redis

from config.checks import run_checks
from demo.supervisor import Supervisor
from satyapan.ledger.rows import SEALED
from satyapan.records import State
from tests.conftest import Sandbox
from tests.integration.test_operator_actions import operator
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.maintenance.retention import BY, Retention

WORKER = (sys.executable, "-P", "-m", "satyapan.cli", "worker")
MONTH_MS = 30 * 86_400_000


def parked(harness: Harness, key: str, age_ms: int = 0) -> str:
    """Park a passport whose answer was lost, so long ago."""
    harness.vendor.post("faults", route="passport", cut="in_body")
    row_id = harness.submit("passport", key)
    assert harness.settle(row_id).state is State.PARKED
    index = harness.parts.ledger.keys.index(State.PARKED)
    client(harness).zincrby(index, -age_ms, row_id)
    return row_id


def client(harness: Harness) -> Any:
    return harness.redis


def step(harness: Harness) -> None:
    ticks = count(0, 1000)
    Retention(replace(operator(harness), by=BY), MONTH_MS, lambda: next(ticks)).step()


def test_what_was_parked_for_too_long_ends_and_is_shredded(harness: Harness) -> None:
    old, young = (
        parked(harness, "old", MONTH_MS + 60_000),
        parked(harness, "young", MONTH_MS - 60_000),
    )

    step(harness)

    ended = harness.read(old)
    assert (ended.state, ended.reason) == (State.FAILED, "forgotten/lost_answer")
    assert harness.read(young).state is State.PARKED
    stored = client(harness).hgetall(harness.parts.ledger.keys.row(old))
    assert not {name.encode() for name in SEALED} & stored.keys()
    assert harness.changes()[-1] == "failed"
    ((_, act),) = harness.parts.ledger.audit_log(1)
    assert (act.verb, act.id, act.by) == ("forget", old, BY)


def test_it_looks_every_ten_minutes(harness: Harness) -> None:
    ticks = iter([0, 599, 601])
    retention = Retention(replace(operator(harness), by=BY), MONTH_MS, lambda: next(ticks))
    retention.step()
    old = parked(harness, "old", MONTH_MS + 60_000)

    retention.step()
    assert harness.read(old).state is State.PARKED
    retention.step()

    assert harness.read(old).state is State.FAILED


def test_check_tells_of_them_beforehand(redis_url: str, sandbox: Sandbox) -> None:
    harness = Harness(redis_url, sandbox.root)
    with redis.Redis.from_url(redis_url) as asking:
        parked(harness, "young")
        assert "W026" not in {each.id for each in run_checks(harness.settings, asking)}

        parked(harness, "old", 50 * 86_400_000 + 60_000)
        (warning,) = [each for each in run_checks(harness.settings, asking) if each.id == "W026"]

    text = "Parked verifications wait for a decision (1); the first ends in 39 days."
    assert warning.message == text


def test_a_running_worker_looks_after_it(harness: Harness, processes: Supervisor) -> None:
    old = parked(harness, "old", harness.settings.retention.parked_s * 1000 + 60_000)

    processes.start("worker", WORKER, env=harness.env, ready="worker ready")

    eventually(lambda: harness.read(old).state is State.FAILED)
