"""Documents of a person, vehicles and places: lost answers, and the vendor's own test data."""

from collections.abc import Mapping

import pytest

from satyapan import State
from tests.support.worker_harness import Harness

IDS = {"verification_id", "reference_id"}


def test_a_lost_answer_about_a_vehicle_is_read_and_is_the_one_that_was_paid_for(
    harness: Harness,
) -> None:
    usual = harness.settle(harness.submit("vehicle_rc", "usual"))
    harness.vendor.post("faults", route="vehicle_rc", cut="before_status")

    found = harness.settle(harness.submit("vehicle_rc", "lost"), hurried=True)

    assert (found.state, found.status) == (State.DONE, "VALID")
    assert (found.result or {}).keys() == (usual.result or {}).keys()
    assert {k: v for k, v in (found.result or {}).items() if k not in IDS} == {
        k: v for k, v in (usual.result or {}).items() if k not in IDS
    }
    assert len(harness.vendor.charges("vehicle_rc")) == 2


@pytest.mark.parametrize("kind", ["voter_id", "driving_license", "ip", "reverse_geocoding"])
def test_a_lost_answer_that_cannot_be_read_is_parked_after_a_refused_repeat(
    harness: Harness, kind: str
) -> None:
    harness.vendor.post("faults", route=kind, cut="before_status")

    found = harness.settle(harness.submit(kind), hurried=True)

    assert (found.state, found.reason) == (State.PARKED, "lost_answer")
    assert len(harness.vendor.charges(kind)) == 1


def test_a_lost_point_is_parked_and_not_bought_again(harness: Harness) -> None:
    harness.vendor.post("faults", route="geocoding", cut="before_status")

    found = harness.settle(harness.submit("geocoding"), hurried=True)

    assert (found.state, found.reason) == (State.PARKED, "unknown_outcome/headers_failed")
    assert len(harness.vendor.charges("geocoding")) == 1


@pytest.mark.parametrize(
    ("kind", "request_", "status"),
    [
        ("voter_id", {"epic_number": "UAI4574761"}, "VALID"),
        ("voter_id", {"epic_number": "UAI4574762"}, "INVALID"),
        ("voter_id", {"epic_number": "ZZZ0000001"}, "VALID"),
        ("driving_license", {"dl_number": "KA2320238908787", "dob": "1987-09-04"}, "INVALID"),
        ("driving_license", {"dl_number": "ZZ0000000000001", "dob": "1987-09-04"}, "VALID"),
        ("vehicle_rc", {"vehicle_number": "HJ01ME5679"}, "INVALID"),
        ("vehicle_rc", {"vehicle_number": "ZZ01ZZ00001"}, "VALID"),
        ("ip", {"ip_address": "192.0.2.1"}, "NOT_FOUND"),
        ("ip", {"ip_address": "198.18.0.1"}, "VALID"),
        ("geocoding", {"address": "1 Namuna Road, Bengaluru"}, "VALID"),
        ("reverse_geocoding", {"latitude": "12.50001", "longitude": "77.5"}, "VALID"),
    ],
)
def test_test_data_is_answered(
    harness: Harness, kind: str, request_: Mapping[str, str], status: str
) -> None:
    ended = harness.settle(harness.submit(kind, **request_))

    assert (ended.state, ended.status, ended.reason) == (State.DONE, status, "")
