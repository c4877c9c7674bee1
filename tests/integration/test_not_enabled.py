"""A product that the vendor has not enabled holds its own route; other kinds continue."""

import logging
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from callbacks.operations.ledger_collector import LedgerCollector
from config.checks import run_checks
from config.redis_clients import ledger_client
from demo.local_stack import LocalStack
from satyapan.kinds import Registry
from satyapan.names import Keys
from satyapan.records import State
from tests.conftest import Sandbox
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness

EMPTY: Final[dict[str, Any]] = {"status": 404, "empty_body": True}
WORDED: Final[dict[str, Any]] = {
    "status": 400,
    "code": "invalid_request",
    "message": "service not enabled for this account.",
}
SPELLINGS: Final = pytest.mark.parametrize("spelling", [EMPTY, WORDED], ids=["empty", "worded"])


def held_routes(redis_url: str) -> dict[str, float]:
    """Read the metric of the routes that are held."""
    with redis.Redis.from_url(redis_url) as client:
        collector = LedgerCollector(client, Keys(), lambda: ["digilocker", "passport"], 60_000)
        (family,) = [one for one in collector.collect() if one.name == "satyapan_calls_held"]
        return {sample.labels["route"]: sample.value for sample in family.samples}


@SPELLINGS
def test_its_rows_wait_without_an_attempt_and_other_kinds_continue(
    redis_url: str, sandbox: Sandbox, spelling: dict[str, Any]
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_PROBE_S="60")
    harness.vendor.post("faults", route="digilocker", times=None, **spelling)

    first = harness.run_once(harness.submit("digilocker", "first"))
    second = harness.run_once(harness.submit("digilocker", "second"))
    passport = harness.run_once(harness.submit("passport"))

    assert (first.state, first.reason, first.attempts) == (State.ACCEPTED, "not_enabled", 0)
    assert (second.state, second.reason) == (State.ACCEPTED, "vendor/not_enabled")
    assert passport.state is State.DONE
    assert len(harness.vendor.get("calls")["calls"]) == 2
    assert held_routes(redis_url) == {"": 0, "digilocker": 1, "passport": 0}


@SPELLINGS
def test_a_probe_notices_that_the_product_was_enabled(
    harness: Harness, caplog: pytest.LogCaptureFixture, spelling: dict[str, Any]
) -> None:
    harness.vendor.post("faults", route="passport", times=2, **spelling)

    with caplog.at_level(logging.WARNING, "satyapan.admission"):
        ended = harness.settle(harness.submit("passport"))

    assert (ended.state, ended.attempts) == (State.DONE, 1)
    assert len(harness.vendor.charges()) == 1
    messages = [record.message for record in caplog.records]
    assert messages == ["route held until the vendor enables the product"] * 2


def test_the_checks_name_the_route_and_the_dashboard(harness: Harness) -> None:
    harness.vendor.post("faults", route="passport", **EMPTY)
    harness.run_once(harness.submit("passport"))

    with ledger_client(harness.settings) as client:
        (finding,) = [one for one in run_checks(harness.settings, client) if one.id == "W027"]

    start = "The vendor has not enabled passport for this account (since 20"
    assert finding.message.startswith(start)
    assert "dashboard" in finding.hint


def test_a_real_worker_serves_the_other_kind_meanwhile(tmp_path: Path) -> None:
    with LocalStack(
        tmp_path, callbacks=False, worker_env={"SATYAPAN_WORKER_PROBE_S": "60"}
    ) as stack:
        stack.control("faults", {"route": "digilocker", "times": None, **EMPTY})
        producer = stack.verifications()
        held = producer.submit("digilocker", {"document_requested": ["PAN"]}, key="held")

        def reason() -> str:
            found = producer.get(held.id)
            return found.reason if found else ""

        eventually(lambda: "not_enabled" in reason())
        request = Registry()["passport"].example
        others = [producer.submit("passport", request, key=f"other-{n}") for n in range(3)]
        states = [producer.wait(one.id, timeout=30).state for one in others]

        assert states == [State.DONE] * 3
        assert (producer.get(held.id) or held).state is State.ACCEPTED
