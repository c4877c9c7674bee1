"""UPI and penny drops with a worker and the sandbox: nothing is paid twice, and nothing in vain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from satyapan import State
from satyapan.kinds import Registry
from tests.support.worker_harness import Harness

DROPS = ["upi_penny_drop", "mobile_penny_drop"]


def consented(kind: str, ago: timedelta) -> dict[str, Any]:
    """Return a kind's example with a consent that was given so long ago."""
    return Registry()[kind].example_at(datetime.now(UTC) - ago)


@pytest.mark.parametrize("kind", ["upi", "upi_mobile", "upi_advance", *DROPS])
def test_the_example_is_answered_and_paid_once(harness: Harness, kind: str) -> None:
    found = harness.run_once(harness.submit(kind))

    assert found.state is State.DONE
    assert found.status.endswith("VALID")
    assert len(harness.vendor.charges(kind)) == 1


@pytest.mark.parametrize("kind", DROPS)
def test_a_consent_that_is_too_old_is_not_sent(harness: Harness, kind: str) -> None:
    request = consented(kind, timedelta(minutes=5, seconds=1))
    row_id = harness.submit(kind, "k", **request)

    found = harness.run_once(row_id)

    assert (found.state, found.reason) == (State.EXPIRED, "consent_stale")
    assert harness.vendor.get("calls")["calls"] == []
    assert harness.submit(kind, "k", **request) == row_id, "the same submit is free, however late"


@pytest.mark.parametrize("kind", DROPS)
def test_a_consent_that_the_vendor_finds_too_old_is_refused(harness: Harness, kind: str) -> None:
    row_id = harness.submit(kind, "k", **consented(kind, timedelta(minutes=4)))
    harness.vendor.post("clock", advance_s=90)

    found = harness.run_once(row_id)

    assert (found.state, found.reason) == (State.REFUSED, "timestamp_value_invalid")
    assert harness.vendor.charges() == []


@pytest.mark.parametrize("kind", ["upi_advance", *DROPS])
def test_a_lost_answer_is_parked_and_never_sent_again(harness: Harness, kind: str) -> None:
    harness.vendor.post("faults", route=kind, cut="before_status")
    row_id = harness.submit(kind)

    found = harness.run_once(row_id)
    harness.sweep()
    harness.run_once(row_id)

    assert found.state is State.PARKED
    assert found.reason.startswith("unknown_outcome/")
    assert len(harness.vendor.charges(kind)) == 1
    assert len(harness.vendor.get("calls")["calls"]) == 1


@pytest.mark.parametrize(
    ("address", "status"), [("success@upi", "VALID"), ("expired@upi", "EXPIRED")]
)
def test_a_lost_answer_about_an_address_is_read(
    harness: Harness, address: str, status: str
) -> None:
    harness.vendor.post("faults", route="upi", cut="before_status")

    found = harness.settle(harness.submit("upi", vpa=address), hurried=True)

    assert (found.state, found.status) == (State.DONE, status)
    assert found.result is not None
    assert found.result["vpa"] == address
    assert len(harness.vendor.charges("upi")) == 1


def test_a_lost_answer_about_a_mobile_number_is_parked_after_one_charge(harness: Harness) -> None:
    harness.vendor.post("faults", route="upi_mobile", cut="before_status")

    found = harness.settle(harness.submit("upi_mobile"), hurried=True)

    assert (found.state, found.reason) == (State.PARKED, "lost_answer")
    assert len(harness.vendor.charges("upi_mobile")) == 1


def test_a_number_that_could_not_be_checked_is_not_bought_again(harness: Harness) -> None:
    row_id = harness.submit("upi_mobile", mobile_number="6666666661")

    found = harness.settle(row_id, hurried=True)
    harness.sweep()

    status = "FAILURE/UNABLE_TO_VALIDATE"
    assert (found.state, found.status, found.reason) == (State.FAILED, status, status.lower())
    assert found.result is not None
    assert len(harness.vendor.charges("upi_mobile")) == 1
    assert len(harness.vendor.get("calls")["calls"]) == 1
    again = harness.settle(harness.submit("upi_mobile", "again"), hurried=True)
    assert again.state is State.DONE
