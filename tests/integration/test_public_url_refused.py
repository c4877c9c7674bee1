"""While the vendor refuses our public address, the kind is held and no attempt is spent."""

import logging

import pytest
import redis

from callbacks.operations.ledger_collector import LedgerCollector
from config.checks import run_checks
from config.redis_clients import ledger_client
from satyapan.names import Keys
from satyapan.records import State
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness

BAD = {"SATYAPAN_CALLBACKS_PUBLIC_URL": "http://127.0.0.1:8000"}


@pytest.fixture
def harness(redis_url: str, sandbox: Sandbox) -> Harness:
    """A harness whose return address the sandbox refuses, as the vendor does."""
    return Harness(redis_url, sandbox.root, **BAD)


def calls(harness: Harness) -> int:
    return len(harness.vendor.get("calls")["calls"])


def held_routes(redis_url: str) -> dict[str, float]:
    """Read the metric of the routes that are held."""
    with redis.Redis.from_url(redis_url) as client:
        collector = LedgerCollector(client, Keys(), lambda: ["digilocker", "passport"], 60_000)
        (family,) = [one for one in collector.collect() if one.name == "satyapan_calls_held"]
        return {sample.labels["route"]: sample.value for sample in family.samples}


def test_no_verification_is_refused_and_all_resume_once_the_address_is_corrected(
    harness: Harness, redis_url: str, sandbox: Sandbox
) -> None:
    first = harness.submit("digilocker", "first")

    waits = harness.run_once(first)

    row = harness.row(first)
    assert (waits.state, waits.reason) == (State.ACCEPTED, "public_url_refused")
    assert (row.attempts, row.ambiguous, row.refused_field) == (0, 0, "")
    corrected = Harness(redis_url, sandbox.root)
    for one in (first, corrected.submit("digilocker", "second")):
        while corrected.run_once(one).state is not State.PENDING:
            corrected.parts.admission.limiter.deal()
    assert harness.changes() == ["link_ready", "link_ready"]
    assert held_routes(redis_url) == {"": 0, "digilocker": 0, "passport": 0}


def test_other_rows_of_the_kind_wait_without_a_call_and_other_kinds_continue(
    redis_url: str, sandbox: Sandbox
) -> None:
    harness = Harness(redis_url, sandbox.root, **BAD, SATYAPAN_WORKER_PROBE_S="60")
    harness.run_once(harness.submit("digilocker", "first"))

    second = harness.run_once(harness.submit("digilocker", "second"))
    passport = harness.run_once(harness.submit("passport", "other"))

    assert (second.state, second.reason) == (State.ACCEPTED, "vendor/public_url_refused")
    assert passport.state is State.DONE
    assert calls(harness) == 2
    assert held_routes(redis_url) == {"": 0, "digilocker": 1, "passport": 0}


def test_a_probe_that_is_refused_too_keeps_the_route_held(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    one = harness.submit("digilocker", "first")
    with caplog.at_level(logging.WARNING, "satyapan.admission"):
        while calls(harness) < 3:
            harness.run_once(one)
            harness.parts.admission.limiter.deal()

    assert harness.read(one).state is State.ACCEPTED
    assert harness.row(one).attempts == 0
    assert {record.message for record in caplog.records} == {
        "route held until the settings are corrected"
    }
    assert len(caplog.records) == 3


def test_the_checks_name_the_setting(harness: Harness) -> None:
    harness.run_once(harness.submit("digilocker"))

    with ledger_client(harness.settings) as client:
        (finding,) = [one for one in run_checks(harness.settings, client) if one.id == "W025"]

    assert finding.message.startswith(
        "The vendor refuses our public address at digilocker (since 20"
    )
    assert "SATYAPAN_CALLBACKS_PUBLIC_URL" in finding.hint
