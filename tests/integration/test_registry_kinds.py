"""Registries of tax, companies and employment: test data, and answers that aren't plain.

`test_every_kind.py` has the examples and the lost answers of all kinds.
"""

from collections.abc import Mapping

import pytest

from satyapan import State
from tests.support.worker_harness import Harness


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
        ("cin", {"cin": "U72900KA2015PTC082989"}, "VALID"),
        ("cin", {"cin": "U99999KA2015PTC000001"}, "VALID"),
        ("cin", {"cin": "U72900KA2015PTC082981"}, "INVALID"),
        ("udyam", {"udyam": "UDYAM-UP-43-7654321"}, "SUCCESS"),
        ("udyam", {"udyam": "UDYAM-ZZ-00-0000001"}, "VALID"),
        ("pan_udyam", {"pan": "ZZZPA0001A"}, "SUCCESS"),
        ("pan_udyam", {"pan": "ZZZPN0001A"}, "UDYAM_NOT_FOUND"),
        ("pan_udyam", {"pan": "ZZZPC0001A"}, "UDYAM_IS_CANCELLED"),
        ("ifsc", {"ifsc": "ZZZZ0000001"}, "VALID"),
        ("name_match", {"name_1": "JOHN DOE", "name_2": "TOM"}, "SUCCESS"),
        ("name_match", {"name_1": "LOAD TEST 1", "name_2": "A"}, "SUCCESS"),
        ("advance_employment", {"uan": "199900000001"}, "SUCCESS"),
        ("advance_employment", {"phone": "9988770000"}, "EMPLOYMENT_DETAILS_NOT_FOUND"),
        (
            "advance_employment",
            {"dob": "1999-01-27", "employee_name": "John Doe"},
            "SUCCESS",
        ),
    ],
)
def test_test_data_is_answered(
    harness: Harness, kind: str, request_: Mapping[str, str], status: str
) -> None:
    ended = harness.settle(harness.submit(kind, **request_))

    assert (ended.state, ended.status) == (State.DONE, status)


def test_an_ifsc_that_no_branch_has_is_a_paid_answer(harness: Harness) -> None:
    ended = harness.settle(harness.submit("ifsc", ifsc="ZZZZ0NOSUCH"))

    assert (ended.state, ended.status) == (State.DONE, "NOT_FOUND")
    assert (ended.result or {})["code"] == "ifsc_not_found"
    assert len(harness.vendor.charges()) == 1


def test_a_phone_that_looks_like_an_aadhaar_number_is_kept(harness: Harness) -> None:
    phone = "919988770001"

    ended = harness.settle(harness.submit("advance_employment", uan="101340612345", phone=phone))

    assert (ended.result or {})["input"]["phone"] == phone


def test_a_combination_that_the_vendor_refuses_is_a_fault_of_the_request(harness: Harness) -> None:
    code = "input_combination_invalid"
    harness.vendor.post("faults", route="advance_employment", status=400, code=code)

    ended = harness.settle(harness.submit("advance_employment", pan="ABCDE5930G"))

    assert (ended.state, ended.reason, ended.refused_field) == (State.REFUSED, code, "request")


def test_a_pan_whose_error_names_the_reference_is_read_by_it(harness: Harness) -> None:
    harness.vendor.post("faults", route="pan", status=500, executed=True)

    ended = harness.settle(harness.submit("pan"), hurried=True)

    assert (ended.state, ended.status) == (State.DONE, "VALID")
    assert (ended.result or {})["registered_name"] == "JOHN DOE"
    (charge,) = harness.vendor.charges()
    assert str(charge["reference_id"]) == harness.row(ended.id).reference


def test_a_gstin_whose_error_names_a_reference_is_parked_with_it(harness: Harness) -> None:
    harness.vendor.post("faults", route="gstin", status=500, executed=True)

    ended = harness.settle(harness.submit("gstin"), hurried=True)

    assert ended.state is State.PARKED
    (charge,) = harness.vendor.charges()
    assert str(charge["reference_id"]) == harness.row(ended.id).reference
