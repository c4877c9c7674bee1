"""Aadhaar numbers in replies and webhooks are masked; similar texts are not."""

import base64
import time
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import verhoeff

from shared.scrub import DEEPEST, parse, scrub

NUMBER = "234123412346"


@pytest.mark.parametrize(
    "text",
    [NUMBER, "2341 2341 2346", "2341-2341-2346", f"no. {NUMBER}, issued", f"({NUMBER})"],
)
def test_a_number_is_masked_except_its_last_four_digits(text: str) -> None:
    shown = scrub(text)

    assert isinstance(shown, str)
    assert "XXXX XXXX 2346" in shown
    assert "2341" not in shown


@pytest.mark.parametrize("before", ["2001 ", "2001-", "5600 2001 ", "2341 "])
def test_digits_before_a_number_do_not_hide_it(before: str) -> None:
    assert scrub(f"{before}2341 2341 2346.") == f"{before}XXXX XXXX 2346."


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


def test_numbers_are_masked_at_every_level_and_in_keys() -> None:
    value = {"a": [{"b": NUMBER}, (int(NUMBER))], NUMBER: None, "c": True, "d": 1.5}

    assert scrub(value) == {
        "a": [{"b": "XXXX XXXX 2346"}, "XXXX XXXX 2346"],
        "XXXX XXXX 2346": None,
        "c": True,
        "d": 1.5,
    }


def test_only_plain_ids_are_exempt_from_masking() -> None:
    value = {"verification_id": NUMBER, "reference_id": int(NUMBER)}

    assert scrub(value) == value
    assert scrub({"verification_id": [NUMBER]}) == {"verification_id": ["XXXX XXXX 2346"]}


@pytest.mark.parametrize(
    "around",
    ["{} ", '<Uid attribute="{}"/>', "<Uid>{}</Uid>", '{{"uid": "{}"}}', "\nuid={};", "a/{}, "],
)
def test_a_number_in_a_long_text_is_masked_too(around: str) -> None:
    text = "This is the text of a letter. " * 100 + around.format(NUMBER) * 3

    shown = scrub(text)

    assert isinstance(shown, str)
    assert NUMBER not in shown
    assert shown.count("XXXX XXXX 2346") == 3


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
def test_base64_pictures_are_not_changed(encode: Callable[[bytes], bytes]) -> None:
    rng = Random(7)
    number = f"+{NUMBER}/".encode()

    for size in (1_000, 30_000, 1_000_000):
        text = encode(rng.randbytes(size))
        planted = text[:601] + number + text[601 + len(number) :]
        for picture in (text.decode(), planted.decode(), f"<Pht>{planted.decode()}</Pht>"):
            assert scrub(picture) == picture


@pytest.mark.parametrize(
    "text", ["A" * 63 + " ", "A" * 5_000_000, "2341 ", "+/ab" * 16 + "\n", "234123412347 " * 2]
)
def test_the_time_grows_linearly_with_the_length(text: str) -> None:
    def seconds(length: int) -> float:
        long = (text * (length // len(text) + 1))[:length]
        start = time.process_time()
        scrub(long)
        return time.process_time() - start

    short = min(seconds(250_000) for _ in range(5))

    # Quadratic time would be 256 times as much.
    assert seconds(4_000_000) < 80 * max(short, 0.001)


@pytest.mark.parametrize("written", [f"{NUMBER}.0", "2.34123412346e11", f"{NUMBER}"])
def test_a_number_is_masked_however_it_is_written(written: str) -> None:
    assert scrub(parse(f'{{"n": {written}}}'.encode())) == {"n": "XXXX XXXX 2346"}


@pytest.mark.parametrize("written", ["NaN", "-Infinity", "1e999", "9" * 5_000, "-" + "9" * 5_000])
def test_numbers_that_json_cannot_represent_become_null(written: str) -> None:
    assert parse(f'{{"n": [{written}, 1]}}'.encode()) == {"n": [None, 1]}


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    fits = parse(b"[" * DEEPEST + b"]" * DEEPEST)

    assert scrub(fits) == fits
    for deeper in (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), b'{"a":' * 900 + b"1" + b"}" * 900):
        with pytest.raises(RecursionError):
            scrub(parse(deeper))


def test_lone_surrogates_are_replaced() -> None:
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
