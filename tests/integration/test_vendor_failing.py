"""While the vendor fails, rows wait without spending attempts until a probe succeeds."""

import logging
import re

import pytest

from config.breakers import read_breakers
from config.checks import run_checks
from config.redis_clients import ledger_client
from satyapan.records import State
from satyapan.redis.server_time import now_ms
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness


@pytest.fixture
def harness(redis_url: str, sandbox: Sandbox) -> Harness:
    # Long enough for the steps of a test, even if the machine stalls for a moment.
    breaker = {"SATYAPAN_BREAKER_CALLS": "4", "SATYAPAN_BREAKER_COOL_DOWN_S": "4"}
    breaker["SATYAPAN_BREAKER_IN_A_ROW"] = "100"
    waits = {"SATYAPAN_WORKER_BACKOFF_CAP_S": "0.3", "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.3"}
    return Harness(redis_url, sandbox.root, **breaker, **waits, SATYAPAN_WORKER_PROBE_S="60")


def run_failing(harness: Harness, count: int) -> list[str]:
    """Run this many verifications while the vendor fails."""
    harness.vendor.post("faults", route="passport", status=502, times=count)
    ids = [harness.submit("passport", f"failing-{n}") for n in range(count)]
    for row_id in ids:
        harness.run_once(row_id)
    return ids


def calls(harness: Harness) -> int:
    return len(harness.vendor.get("calls")["calls"])


def test_when_many_calls_fail_others_wait_without_an_attempt_for_a_probe(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "satyapan.admission"):
        failed = run_failing(harness, 4)
    waiting = [harness.submit("passport", f"waiting-{n}") for n in range(3)]

    held = [harness.run_once(row_id) for row_id in waiting]

    assert calls(harness) == 4
    assert {(row.state, row.attempts) for row in held} == {(State.ACCEPTED, 0)}
    assert {row.reason.partition("/")[0] for row in held} == {"vendor"}
    assert [record.message for record in caplog.records] == ["vendor breaker opened"]
    ended = [harness.settle(row_id) for row_id in (*waiting, *failed)]
    assert {row.state for row in ended} <= {State.DONE}
    ledger = harness.parts.ledger
    assert read_breakers(harness.redis, [ledger.keys.breaker("main", "passport")]) == [None]


def test_the_checks_report_open_breakers(harness: Harness) -> None:
    run_failing(harness, 4)
    harness.parts.admission.breakers.stop("main", "insufficient_balance")

    with ledger_client(harness.settings) as client:
        messages = [
            each.message
            for each in run_checks(harness.settings, client)
            if each.id in {"W020", "W021"}
        ]

    pattern = (
        r"The vendor refuses account main \(insufficient_balance, since 20..-..-.. ..:.. UTC\)\."
    )
    assert re.fullmatch(pattern, messages[0])
    assert messages[1].startswith("Calls to passport fail at the vendor (")


def test_one_verification_that_always_fails_does_not_stop_others(harness: Harness) -> None:
    harness.vendor.post("faults", route="passport", status=502, times=5)
    bad = harness.submit("passport", "bad")
    harness.settle(bad)

    good = harness.run_once(harness.submit("passport", "good"))

    assert calls(harness) >= 5
    assert good.state is State.DONE


def test_at_quiet_times_a_few_failures_in_a_row_open_the_breaker(
    redis_url: str, sandbox: Sandbox
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_BREAKER_COOL_DOWN_S="60")
    run_failing(harness, 2)
    answered = harness.run_once(harness.submit("passport", "good"))
    harness.vendor.post("faults", route="passport", status=502, times=3)
    for n in range(3):
        harness.run_once(harness.submit("passport", f"in-a-row-{n}"))

    held = harness.run_once(harness.submit("passport", "after"))

    assert answered.state is State.DONE
    assert (held.state, held.reason) == (State.ACCEPTED, "vendor/verification_failed")
    assert calls(harness) == 6


def test_a_lower_limit_that_the_vendor_sends_is_kept(harness: Harness) -> None:
    harness.vendor.post("quota", route="passport", per_minute=2)

    seen = [harness.run_once(harness.submit("passport", f"k{n}")) for n in range(4)]

    assert [row.state for row in seen] == [State.DONE, State.DONE, State.ACCEPTED, State.ACCEPTED]
    assert {row.reason for row in seen[2:]} == {"quota"}
    assert calls(harness) == 2


def test_a_row_past_its_deadline_fails_in_the_queue(harness: Harness) -> None:
    harness.vendor.post("quota", route="passport", per_minute=1)
    harness.run_once(harness.submit("passport", "first"))
    row_id = harness.submit("passport", "late")
    redis, key = harness.redis, harness.parts.ledger.keys.row(row_id)
    soon = harness.row(row_id).created + 20_000
    redis.hset(key, "deadline", soon)

    assert harness.run_once(row_id).reason == "quota"
    assert harness.row(row_id).due == soon
    redis.hset(key, mapping={"deadline": 1, "due": 1})

    assert (harness.run_once(row_id).state, harness.read(row_id).reason) == (
        State.FAILED,
        "deadline",
    )


def test_a_successful_probe_ends_the_waits_of_rows_that_failed(
    redis_url: str, sandbox: Sandbox
) -> None:
    waits = {"SATYAPAN_WORKER_BACKOFF_BASE_S": "3600", "SATYAPAN_WORKER_BACKOFF_CAP_S": "3600"}
    harness = Harness(redis_url, sandbox.root, **waits, SATYAPAN_BREAKER_COOL_DOWN_S="0.5")
    failed = run_failing(harness, 3)
    assert min(harness.row(row_id).due for row_id in failed) > now_ms(harness.redis) + 500_000

    probe = harness.settle(harness.submit("passport", "probe"))
    ended = [harness.run_once(row_id) for row_id in failed]

    assert {row.state for row in (probe, *ended)} == {State.DONE}
    assert [row.attempts for row in ended] == [2, 2, 2]
    assert len(harness.vendor.charges("passport")) == 4
