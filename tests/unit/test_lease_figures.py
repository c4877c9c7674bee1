"""Values derived from the lease, and from the time-outs of vendor and broker."""

import pytest

from config.celery import worker_settings
from config.settings import Settings, read_settings
from tests.support.worker_harness import environment
from worker.from_settings import limiter_config, outage
from worker.ledger.work_ledger import Outage


def read(**more: str) -> Settings:
    named = {f"SATYAPAN_{name}": text for name, text in more.items()}
    return read_settings(environment("redis://r/0", "https://vendor.example/v", **named))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, Outage()),
        # A holder renews within a third of its lease, and gets that long after a clock jump too.
        ({"WORKER_LEASE_S": "90"}, Outage(gap=30_000, grace=31_000)),
        # After an absence too short for an outage, each lease still has a third of its time.
        ({"WORKER_LEASE_S": "12"}, Outage(gap=4_000, grace=8_000)),
        (
            {"REDIS_READ_TIMEOUT_S": "1", "REDIS_CONNECT_TIMEOUT_S": "1", "WORKER_LEASE_S": "6"},
            Outage(gap=2_000, grace=3_000),
        ),
    ],
    ids=["default", "long", "shortest", "shorter"],
)
def test_an_outage_is_shorter_than_a_lease_and_leaves_holders_time_to_renew(
    settings: dict[str, str], expected: Outage
) -> None:
    assert outage(read(**settings)) == expected


def test_the_time_limits_of_calls_do_not_depend_on_the_lease() -> None:
    settings = read(CASHFREE_TOTAL_TIMEOUT_S="80", WORKER_POOL="prefork")

    limits = worker_settings(settings)

    assert settings.worker.lease_s < settings.vendor.total_timeout_s
    assert limiter_config(settings).longest_call == 90_000
    assert (limits["task_soft_time_limit"], limits["task_time_limit"]) == (180, 260)
