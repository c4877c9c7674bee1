"""A kind in one file, SYNC with REFERENCE: without an id of ours, never sent twice by itself."""

from typing import Any

import pytest

from satyapan import State
from tests.support.toy_stack import Toys

CHARGE = "toy_pan_check"


@pytest.mark.parametrize(("pan", "status"), [("ABCPV1234D", "VALID"), ("DEFPV0126D", "INVALID")])
def test_each_status_is_an_answer(toys: Toys, pan: str, status: str) -> None:
    before = toys.charges(CHARGE)

    ended = toys.ended("toy_pan_check", f"check-{status}", pan=pan)

    assert (ended.state, ended.status, ended.attempts) == (State.DONE, status, 1)
    assert (ended.result or {})["pan"] == pan
    assert ended.reference == str((ended.result or {})["reference_id"])
    assert toys.charges(CHARGE) == before + 1
    assert toys.changes(ended.id) == ["done"]


def test_a_refusal_names_its_field(toys: Toys) -> None:
    ended = toys.ended("toy_pan_check", "check-refused", name="x" * 150)

    assert (ended.state, ended.refused_field) == (State.REFUSED, "name")
    assert ended.reason == "name_length_exceeded"


@pytest.mark.parametrize(("pan", "status"), [("LATER1234D", "VALID"), ("FAILS1234D", "INVALID")])
def test_an_error_with_a_reference_ends_with_the_answer_of_the_read(
    toys: Toys, pan: str, status: str
) -> None:
    before, asked = toys.charges(CHARGE), len(toys.calls("toy_pan_check"))
    toys.fault("toy_pan_check_read", status=500)  # the read itself may be repeated

    ended = toys.ended("toy_pan_check", f"check-{pan}", pan=pan)

    assert (ended.state, ended.status, ended.attempts) == (State.DONE, status, 1)
    assert toys.charges(CHARGE) == before + 1
    assert len(toys.calls("toy_pan_check")) == asked + 1


@pytest.mark.parametrize(
    "fault", [{"cut": "before_status"}, {"cut": "in_body"}, {"status": 502, "executed": False}]
)
def test_without_a_reference_it_is_parked_and_never_sent_again(
    toys: Toys, fault: dict[str, Any]
) -> None:
    asked, name = len(toys.calls("toy_pan_check")), f"check-{len(toys.calls('toy_pan_check'))}"
    toys.fault("toy_pan_check", **fault)

    ended = toys.ended("toy_pan_check", name)
    refusal = toys.satyapan("redrive", name, code=1)

    assert ended.state is State.PARKED
    assert ended.reason.startswith("unknown_outcome/")
    assert "reissue" in refusal
    assert toys.read(name) == ended
    assert len(toys.calls("toy_pan_check")) == asked + 1


def test_a_reference_that_the_vendor_does_not_know_is_parked_and_read_after_a_redrive(
    toys: Toys,
) -> None:
    unknown = {"status": 404, "code": "reference_id_not_found", "times": 2}
    toys.fault("toy_pan_check_read", **unknown)
    asked = len(toys.calls("toy_pan_check"))

    parked = toys.ended("toy_pan_check", "check-forgotten", pan="LATER1234D")
    toys.satyapan("redrive", "check-forgotten")
    ended = toys.end("check-forgotten")

    assert (parked.state, parked.reason) == (State.PARKED, "unknown_outcome")
    assert (ended.state, ended.status) == (State.DONE, "VALID")
    assert len(toys.calls("toy_pan_check")) == asked + 1


def test_a_person_buys_again_and_that_is_recorded(toys: Toys) -> None:
    before = toys.charges(CHARGE)
    toys.fault("toy_pan_check", cut="before_status")
    toys.ended("toy_pan_check", "check-again")

    toys.satyapan("reissue", "check-again", "--pay-again", "--by", "asha")

    ended = toys.end("check-again")
    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert toys.charges(CHARGE) == before + 2
    assert toys.changes("check-again") == ["parked", "reissued", "done"]
