"""Aadhaar numbers in replies are masked; what only resembles them is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import verhoeff

from worker.vendors.cashfree.scrub import scrub

NUMBER = "234123412346"


@pytest.mark.parametrize(
    "text",
    [NUMBER, "2341 2341 2346", "2341-2341-2346", f"no. {NUMBER}, issued", f"({NUMBER})"],
)
def test_a_number_is_masked_down_to_its_last_digits(text: str) -> None:
    shown = scrub(text)

    assert isinstance(shown, str)
    assert "XXXX XXXX 2346" in shown
    assert "2341" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "234123412347",  # the check digit is wrong
        f"1{NUMBER}",
        f"{NUMBER}0",
        f"a{NUMBER}",
        "PA1079341954215",
        "XXXXXXXX2346",
        "01-02-1990",
        "",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert scrub(text) == text


def test_it_looks_everywhere() -> None:
    value = {"a": [{"b": NUMBER}, (int(NUMBER))], NUMBER: None, "c": True, "d": 1.5}

    assert scrub(value) == {
        "a": [{"b": "XXXX XXXX 2346"}, "XXXX XXXX 2346"],
        "XXXX XXXX 2346": None,
        "c": True,
        "d": 1.5,
    }


def test_ids_come_through_but_hide_nothing() -> None:
    value = {"verification_id": NUMBER, "reference_id": int(NUMBER)}

    assert scrub(value) == value
    assert scrub({"verification_id": [NUMBER]}) == {"verification_id": ["XXXX XXXX 2346"]}


def test_pictures_are_not_searched() -> None:
    picture = f"{'A' * 990} {NUMBER}"

    assert scrub(picture) == picture


def test_what_cannot_be_written_is_replaced() -> None:
    assert scrub({"verification_id": "a\ud800", "name": "\udfffb"}) == {
        "verification_id": "a?",
        "name": "?b",
    }


@given(st.integers(2 * 10**10, 10**11 - 1).map(str))
def test_every_valid_number_is_masked(stem: str) -> None:
    number = stem + verhoeff.calc_check_digit(stem)
    if number == number[::-1]:
        return  # the issuer gives out no palindromes

    assert scrub(number) == f"XXXX XXXX {number[-4:]}"
