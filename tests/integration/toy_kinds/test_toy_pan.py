"""A kind in one file, SYNC with REPEAT: the example of docs/adding-a-kind.md."""

import pytest

from satyapan import InvalidRequest, State
from tests.support.toy_stack import Toys

CUT, BAD, TAKEN = "CUTCU1234T", "BADBA1234D", "TAKEN1234T"


def test_the_kind_is_submitted_processed_and_answered(toys: Toys) -> None:
    ended = toys.ended("toy_pan", "pan-good")

    assert (ended.state, ended.status) == (State.DONE, "VALID")
    assert ended.result == {
        "verification_id": "pan-good",
        "reference_id": int(ended.reference),
        "status": "VALID",
        "new_field": [1],
        "registered_name": "JOHN DOE",
    }
    assert toys.ended("toy_pan", "pan-good") == ended
    assert toys.charges("toy_pan", "pan-good") == 1
    assert toys.changes("pan-good") == ["done"]


def test_a_negative_answer_is_an_answer(toys: Toys) -> None:
    ended = toys.ended("toy_pan", "pan-invalid", pan="DEFPV0126D")

    assert (ended.state, ended.status) == (State.DONE, "INVALID")


def test_the_kinds_own_checks_apply_at_submit(toys: Toys) -> None:
    with pytest.raises(InvalidRequest) as caught:
        toys.submit("toy_pan", "pan-wrong", pan="123", colour="blue")

    assert {fault.code for fault in caught.value.faults} == {
        "pan_value_invalid",
        "colour_value_invalid",
    }


def test_the_vendors_refusal_names_its_field(toys: Toys) -> None:
    ended = toys.ended("toy_pan", "pan-bad", pan=BAD)

    assert (ended.state, ended.reason) == (State.REFUSED, "pan_value_invalid")
    assert ended.refused_field == "pan"
    assert toys.changes("pan-bad") == ["refused"]


def test_its_duplicate_answer_after_a_lost_one_follows_its_own_policy(toys: Toys) -> None:
    ended = toys.ended("toy_pan", "pan-cut", pan=CUT)

    assert (ended.state, ended.reason) == (State.LOST, "lost_answer")
    calls = [call for call in toys.calls("toy_pan") if call["verification_id"] == "pan-cut"]
    assert len(calls) == 2
    assert toys.charges("toy_pan", "pan-cut") == 1
    assert toys.changes("pan-cut") == ["lost"]


def test_an_unexpected_duplicate_answer_is_parked(toys: Toys) -> None:
    toys.fault("toy_pan", status=400, code="pan_toy_repeated")

    ended = toys.ended("toy_pan", "pan-taken", pan=TAKEN)

    assert (ended.state, ended.reason) == (State.PARKED, "foreign_duplicate")
    assert toys.changes("pan-taken") == ["parked"]
