"""Parked verifications that nobody decides about end, and their data is shredded."""

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


def park(harness: Harness, key: str, age_ms: int = 0) -> str:
    """Park a passport whose answer was lost, and date that back by `age_ms`."""
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


def test_a_row_that_was_parked_for_too_long_ends_and_is_shredded(harness: Harness) -> None:
    old, young = (
        park(harness, "old", MONTH_MS + 60_000),
        park(harness, "young", MONTH_MS - 60_000),
    )

    step(harness)

    ended = harness.read(old)
    assert (ended.state, ended.reason) == (State.FAILED, "forgotten/lost_answer")
    assert harness.read(young).state is State.PARKED
    stored = client(harness).hgetall(harness.parts.ledger.keys.row(old))
    assert not {name.encode() for name in SEALED} & stored.keys()
    assert harness.changes()[-1] == "failed"
    ((_, entry),) = harness.parts.ledger.audit_log(1)
    assert (entry.verb, entry.id, entry.by) == ("forget", old, BY)


def test_retention_runs_every_ten_minutes(harness: Harness) -> None:
    ticks = iter([0, 599, 601])
    retention = Retention(replace(operator(harness), by=BY), MONTH_MS, lambda: next(ticks))
    retention.step()
    old = park(harness, "old", MONTH_MS + 60_000)

    retention.step()
    assert harness.read(old).state is State.PARKED
    retention.step()

    assert harness.read(old).state is State.FAILED


def test_the_check_warns_before_parked_rows_end(redis_url: str, sandbox: Sandbox) -> None:
    harness = Harness(redis_url, sandbox.root)
    with redis.Redis.from_url(redis_url) as store:
        park(harness, "young")
        assert "W026" not in {each.id for each in run_checks(harness.settings, store)}

        park(harness, "old", 50 * 86_400_000 + 60_000)
        (warning,) = [each for each in run_checks(harness.settings, store) if each.id == "W026"]

    text = "Parked verifications wait for a decision (1); the first ends in 39 days."
    assert warning.message == text


def test_a_running_worker_applies_retention(harness: Harness, processes: Supervisor) -> None:
    old = park(harness, "old", harness.settings.retention.parked_s * 1000 + 60_000)

    processes.start("worker", WORKER, env=harness.env, ready="worker ready")

    eventually(lambda: harness.read(old).state is State.FAILED)
