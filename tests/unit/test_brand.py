"""The brand on the return page: which names, logos, colours and links are accepted."""

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callbacks.returns import pages
from config.brand import LARGEST, Brand, read_brand
from config.callback_settings import CallbacksSettings
from config.colours import DARK, LIGHT, READABLE, contrast, lightened
from config.settings import read_settings
from satyapan.settings.declaration import SettingsError
from tests.web.callbacks_app import environment

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def read(**brand: str) -> Brand:
    """Read the brand from settings, named without their prefix."""
    variables = {f"CALLBACKS_BRAND_{name}": text for name, text in brand.items()}
    return read_brand(read_settings(environment("redis://nowhere", **variables)).callbacks)


def faults(**brand: str) -> Mapping[str, str]:
    """Return the faults of these settings by variable."""
    with pytest.raises(SettingsError) as refused:
        read(**brand)
    return {name.removeprefix("SATYAPAN_CALLBACKS_"): text for name, text in refused.value.faults}


def test_without_settings_there_is_no_brand() -> None:
    assert read() == Brand()


@pytest.mark.parametrize(
    "name", ['A & B "Bank" <Ltd>', "بنك", "एक बैंक", "Bank 👩🏽‍💼", "{name} 100 %", "x" * 60]
)
def test_any_single_line_is_accepted_as_a_name(name: str) -> None:
    assert read(NAME=name).name == name


@pytest.mark.parametrize("name", ["x" * 61, "two\nlines", "bell\a", "not UTF-8 \udc80"])
def test_a_name_that_does_not_fit_a_heading_is_refused(name: str) -> None:
    assert "at most 60 characters" in faults(NAME=name)["BRAND_NAME"]


@pytest.mark.parametrize(
    "link",
    [
        "http://bank.example/",
        "javascript:alert(1)",
        "//bank.example",
        "https://",
        "https://bank.example@evil.example/",
        "https://:word@bank.example/",
        "https://bank.example/a b",
        "https://bank.example/\udc80",
        "https://[bank/",
        "bank://app",
    ],
)
def test_a_link_that_is_not_a_plain_https_url_is_refused(link: str) -> None:
    assert set(faults(NAME="A Bank", LINK=link)) == {"BRAND_LINK"}


def test_a_link_may_have_a_query() -> None:
    link = "https://bank.example/app?from=kyc&x=1#top"

    assert read(NAME="A Bank", LINK=link).link == link


@pytest.mark.parametrize("more", [{"LINK": "https://bank.example"}, {"LOGO": "logo.png"}])
def test_logo_and_link_need_a_name(more: dict[str, str]) -> None:
    assert set(faults(**more)) == {"BRAND_NAME"}


@pytest.mark.parametrize("colour", ["red", "#fff", "#12345g", "#0b4fb3;}", "0b4fb3", "#0b4fb3\n}"])
def test_a_value_that_is_not_a_colour_is_refused(colour: str) -> None:
    assert "#rrggbb" in faults(COLOUR=colour)["BRAND_COLOUR"]


def test_a_colour_that_is_hard_to_read_is_refused_with_its_contrast() -> None:
    fault = faults(COLOUR="#f37e20")["BRAND_COLOUR"]

    assert "contrast of 2.46" in fault
    assert "darker shade, of at least 4.5" in fault


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#000000", 21.0),
        ("#123456", "#123456", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_is_computed_as_in_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.005)


@given(COLOURS)
def test_a_colour_that_is_accepted_is_readable_in_both_schemes(colour: str) -> None:
    assume(contrast(colour, LIGHT) >= READABLE)
    dark = lightened(colour)

    assert contrast(colour, "#ffffff") >= READABLE
    assert contrast(dark, DARK) >= READABLE
    assert contrast(dark, "#101214") >= READABLE


def test_contrast_is_checked_against_the_backgrounds_of_the_page() -> None:
    style = Path(pages.__file__).with_name("templates").joinpath("return.css").read_text("utf-8")

    assert f"--ground: {LIGHT}" in style
    assert f"--card: {DARK}" in style


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"RIFF\n\0\0\0WEBPVP8 ", "image/webp"),
        (SVG, "image/svg+xml"),
        (b'\xef\xbb\xbf\n<?xml version="1.0"?>' + SVG, "image/svg+xml"),
        (b"<!-- a comment -->" + SVG, "image/svg+xml"),
    ],
)
def test_the_type_of_a_logo_is_read_from_its_first_bytes(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    path = tmp_path / "logo"
    path.write_bytes(content)

    logo = read_brand(CallbacksSettings(brand_name="A Bank", brand_logo=str(path))).logo

    assert logo == f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "can't be read (FileNotFoundError)"),
        (b"", "neither PNG"),
        (b"<!doctype html><script>alert(1)</script>", "neither PNG"),
        (b"GIF89a....", "neither PNG"),
        (b"RIFF\n\0\0\0WAVEfmt ", "neither PNG"),
        (SVG.ljust(LARGEST + 1), "larger than 65,536 bytes"),
    ],
)
def test_an_unusable_logo_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    path = tmp_path / "logo"
    if content is not None:
        path.write_bytes(content)

    fault = faults(NAME="A Bank", LOGO=str(path))["BRAND_LOGO"]

    assert expected in fault
    assert str(tmp_path) not in fault


def test_a_logo_of_the_maximum_size_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "logo.svg"
    path.write_bytes(SVG.ljust(LARGEST))

    assert read(NAME="A Bank", LOGO=str(path)).logo
