"""PAN and GSTIN: calls without an id of ours, and the vendor's own test data."""

from collections.abc import Mapping

import pytest

from satyapan import State
from tests.support.worker_harness import Harness


def test_a_pan_whose_error_names_the_reference_is_read_by_it(harness: Harness) -> None:
    harness.vendor.post("faults", route="pan", status=500, executed=True)

    ended = harness.settle(harness.submit("pan"), hurried=True)

    assert (ended.state, ended.status) == (State.DONE, "VALID")
    assert (ended.result or {})["registered_name"] == "JOHN DOE"
    (charge,) = harness.vendor.charges()
    assert str(charge["reference_id"]) == harness.row(ended.id).reference


@pytest.mark.parametrize("kind", ["pan", "gstin"])
def test_a_lost_answer_without_an_id_is_parked_and_not_repeated(
    harness: Harness, kind: str
) -> None:
    harness.vendor.post("faults", route=kind, cut="before_status")

    ended = harness.settle(harness.submit(kind), hurried=True)

    assert (ended.state, ended.reason) == (State.PARKED, "unknown_outcome/headers_failed")
    assert len(harness.vendor.charges()) == 1


def test_a_gstin_whose_error_names_a_reference_is_parked_with_it(harness: Harness) -> None:
    harness.vendor.post("faults", route="gstin", status=500, executed=True)

    ended = harness.settle(harness.submit("gstin"), hurried=True)

    assert ended.state is State.PARKED
    (charge,) = harness.vendor.charges()
    assert str(charge["reference_id"]) == harness.row(ended.id).reference


@pytest.mark.parametrize(
    ("kind", "request_", "status"),
    [
        ("pan", {"pan": "AAAHU4383C"}, "VALID"),
        ("pan", {"pan": "TUVPP5678W"}, "INVALID"),
        ("pan_lite", {"pan": "ABCDX1234F", "name": "A", "dob": "1993-06-30"}, "INVALID"),
        ("pan_360", {"pan": "LMNCD8010T"}, "INVALID"),
        ("gstin", {"GSTIN": "29AAIZP2912R1ZR"}, "INVALID"),
        ("pan_gstin", {"pan": "ZZZPN0001A"}, "GSTIN_NOT_FOUND"),
        ("pan", {"pan": "ZZZPA0001A"}, "VALID"),
        ("pan_gstin", {"pan": "ZZZPA0001A"}, "SUCCESS"),
        ("gstin", {"GSTIN": "27ZZZAA0001A1Z5"}, "VALID"),
    ],
)
def test_test_data_is_answered(
    harness: Harness, kind: str, request_: Mapping[str, str], status: str
) -> None:
    ended = harness.settle(harness.submit(kind, **request_))

    assert (ended.state, ended.status) == (State.DONE, status)
