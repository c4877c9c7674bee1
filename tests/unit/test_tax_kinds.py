"""PAN and GSTIN: which numbers are refused at submit."""

import logging

import pytest

from satyapan.errors import InvalidRequest
from satyapan.kinds import Registry
from satyapan.testing import FakeVerifications


@pytest.mark.parametrize("number", ["ABCPV1234", "ABCPV1234DD", "ABCPV12345", "x" * 99])
@pytest.mark.parametrize("kind", ["pan", "pan_lite", "pan_360", "pan_gstin"])
def test_what_is_no_pan_is_refused_in_the_vendors_words(kind: str, number: str) -> None:
    known = Registry()[kind]

    with pytest.raises(InvalidRequest) as refused:
        known.check({**known.example, "pan": number})

    (fault,) = refused.value.faults
    assert (fault.code, fault.message) == ("pan_length_short", "Enter valid PAN.")


@pytest.mark.parametrize("number", ["29AAICP2912R1Z", "29AAICP2912R1ZRR", "A" * 15])
def test_what_is_no_gstin_is_refused_under_the_name_of_the_vendors_field(number: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Registry()["gstin"].check({"GSTIN": number})

    assert [(fault.field, fault.code) for fault in refused.value.faults] == [
        ("GSTIN", "GSTIN_value_invalid")
    ]


@pytest.mark.parametrize(
    ("kind", "field", "number"),
    [
        ("pan", "pan", "abcpv1234d"),
        ("pan_lite", "pan", "abcpv1234d"),
        ("gstin", "GSTIN", "29aaicp2912r1zr"),
    ],
)
def test_small_letters_are_left_to_the_vendor(kind: str, field: str, number: str) -> None:
    known = Registry()[kind]

    assert known.check({**known.example, field: number})[field] == number
    assert known.wrong_check_digits({field: number}) == []


def test_a_gstin_with_a_wrong_check_digit_is_accepted_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        FakeVerifications().submit("gstin", {"GSTIN": "29AAICP2912R1ZS"}, key="a")

    assert "GSTIN has a wrong check digit" in caplog.text
