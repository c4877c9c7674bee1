"""Texts, states and redirects of the return page, without a server."""

import json
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from callbacks.returns import pages
from callbacks.returns.handler import redirect_url
from callbacks.returns.pages import CONFIRMING, PAGE_OF, SLOW, depends_on_time, languages, page_at
from config.brand import Brand
from satyapan.records import Row, State

FOLDER = Path(pages.__file__).parent
LANGUAGES = languages()
SCRIPTS = {
    "en": {"LATIN"},
    "hi": {"DEVANAGARI"},
    "mr": {"DEVANAGARI"},
    "ta": {"TAMIL"},
    "te": {"TELUGU"},
    "bn": {"BENGALI"},
}
OPEN_STATES = sorted(state for state, page in PAGE_OF.items() if page == CONFIRMING)
ASKED = 1_700_000_000_000
HOSTS = {"shop.example", "shop.example:8443"}


def catalogue(lang: str) -> dict[str, object]:
    words: dict[str, object] = json.loads(
        FOLDER.joinpath("languages", f"{lang}.json").read_text(encoding="utf-8")
    )
    return words


def shape(words: object) -> object:
    """Return the keys at every level; no text may be empty."""
    if isinstance(words, dict):
        return {key: shape(value) for key, value in words.items()}
    if isinstance(words, bool):
        return bool
    assert isinstance(words, str)
    assert words.strip() == words
    return bool(words)


def placeholders(words: object) -> object:
    """Return the names in braces at every level."""
    if isinstance(words, dict):
        return {key: placeholders(value) for key, value in words.items()}
    return sorted(re.findall(r"\{(\w*)\}", str(words)))


def texts(words: object) -> Iterator[str]:
    """Yield the texts of a language, without their placeholders."""
    if isinstance(words, dict):
        for value in words.values():
            yield from texts(value)
    elif isinstance(words, str):
        yield re.sub(r"\{\w*\}", "", words)


def scripts(text: str) -> set[str]:
    """Return the scripts of a text's letters and vowel signs: LATIN, TAMIL and so on."""
    return {
        unicodedata.name(sign).split()[0] for sign in text if unicodedata.category(sign)[0] in "LM"
    }


def test_every_file_of_words_is_a_language_that_is_offered() -> None:
    found = [path.stem for path in FOLDER.joinpath("languages").iterdir()]

    assert sorted(found) == sorted(LANGUAGES)
    assert LANGUAGES[:2] == ("en", "hi")


def test_a_further_file_is_all_that_a_further_language_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "callbacks"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    gujarati = json.dumps({**catalogue("en"), "name": "ગુજરાતી"})
    copy.joinpath("languages", "gu.json").write_text(gujarati, encoding="utf-8")
    monkeypatch.setattr(pages, "files", lambda _package: copy)

    app = Flask("callbacks", template_folder=str(copy / "templates"))
    with app.test_request_context("/?lang=gu"):
        answer = pages.Pages(Brand()).show("received")

    assert answer.headers["Content-Language"] == "gu"
    assert '<html lang="gu">' in answer.get_data(as_text=True)
    assert 'href="?lang=hi"' in answer.get_data(as_text=True)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_languages_have_the_same_keys(lang: str) -> None:
    assert shape(catalogue(lang)) == shape(catalogue("en"))
    assert placeholders(catalogue(lang)) == placeholders(catalogue("en"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_in_the_script_of_its_language(lang: str) -> None:
    own = SCRIPTS.get(lang) or scripts(str(catalogue(lang)["name"]))

    # The danda that ends a sentence belongs to several scripts and is not a letter.
    assert [text for text in texts(catalogue(lang)) if scripts(text) != own] == []


def test_only_the_language_it_was_written_in_is_marked_as_reviewed() -> None:
    marks = {lang: catalogue(lang)["reviewed"] for lang in LANGUAGES}

    assert marks == {lang: lang == "en" for lang in LANGUAGES}


def test_every_state_has_a_page_that_exists() -> None:
    assert set(PAGE_OF) == set(State)
    assert {*PAGE_OF.values(), SLOW} <= set(catalogue("en"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_only_the_minutes_and_the_brands_name_are_filled_in(lang: str) -> None:
    words = catalogue(lang)
    slow, back = words.pop("slow"), words.pop("back")

    assert placeholders(slow) == {"title": [], "text": ["minutes"]}
    assert placeholders(back) == ["name"]
    assert re.findall(r"\{\w*\}", json.dumps(words)) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_text_about_the_button_uses_the_buttons_words(lang: str) -> None:
    words = catalogue(lang)

    assert f"“{words['again']}”" in str(words["paused"])


@pytest.mark.parametrize("state", OPEN_STATES)
@pytest.mark.parametrize(
    ("waited_ms", "expected"),
    [
        (-1_000, (CONFIRMING, 0)),
        (0, (CONFIRMING, 0)),
        (60_000, (CONFIRMING, 0)),
        (60_001, (SLOW, 1)),
        (119_999, (SLOW, 1)),
        (120_000, (SLOW, 2)),
        (180_000, (SLOW, 3)),
        (3_600_000, (SLOW, 60)),
    ],
)
def test_an_open_row_is_slow_after_more_than_a_minute(
    state: State, waited_ms: int, expected: tuple[str, int]
) -> None:
    row = Row(id="v-1", kind="digilocker", state=state, asked=ASKED)

    assert depends_on_time(row)
    assert page_at(row, ASKED + waited_ms) == expected


@pytest.mark.parametrize("state", State)
def test_a_row_that_nobody_asked_for_is_never_slow(state: State) -> None:
    row = Row(id="v-1", kind="digilocker", state=state)

    assert not depends_on_time(row)
    assert page_at(row, ASKED) == page_at(row, 0) == (PAGE_OF[state], 0)


@pytest.mark.parametrize("state", sorted(set(State) - set(OPEN_STATES)))
def test_a_settled_row_is_never_slow(state: State) -> None:
    row = Row(id="v-1", kind="digilocker", state=state, asked=ASKED)

    assert not depends_on_time(row)
    assert page_at(row, ASKED + 600_000) == (PAGE_OF[state], 0)


@pytest.mark.parametrize(
    ("return_url", "expected"),
    [
        ("https://shop.example", "https://shop.example?verification_id=v-1"),
        ("https://shop.example/back", "https://shop.example/back?verification_id=v-1"),
        ("https://SHOP.example/b?a=1", "https://SHOP.example/b?a=1&verification_id=v-1"),
        (
            "https://shop.example/b?a=%20+&a=",
            "https://shop.example/b?a=%20+&a=&verification_id=v-1",
        ),
        ("https://shop.example/b?#part", "https://shop.example/b?verification_id=v-1#part"),
        (
            "https://shop.example/b?verification_id=x&a=1&verification_id=y",
            "https://shop.example/b?a=1&verification_id=v-1",
        ),
        ("https://shop.example:8443/", "https://shop.example:8443/?verification_id=v-1"),
    ],
)
def test_an_allowed_address_gets_our_id(return_url: str, expected: str) -> None:
    assert redirect_url(return_url, "v-1", HOSTS) == expected


@pytest.mark.parametrize(
    "return_url",
    [
        "",
        "/back",
        "//shop.example/",
        "http://shop.example/",
        "javascript://shop.example/%0aalert(1)",
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://evilshop.example/",
        "https://shop.example:444/",
        "https://user@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example:8443@evil.example/",
        "https://evil.example\\@shop.example/",
        "https:\\\\evil.example/https://shop.example",
        "https://shop.example\t.evil.example/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        " https://shop.example/",
        "https://[shop.example/",
        "https://shop.example./",
        "https://ｓhop.example/",
    ],
)
def test_nobody_is_sent_anywhere_else(return_url: str) -> None:
    assert redirect_url(return_url, "v-1", HOSTS) is None


@given(st.lists(st.sampled_from(["shop.example", "evil", ":8443", *"/\\@?#.&= \t\n[]%:"])))
def test_no_text_leads_elsewhere_or_fails(parts: list[str]) -> None:
    url = redirect_url(f"https://{''.join(parts)}", "v-1", HOSTS)

    assert url is None or re.match(r"https://shop\.example(:8443)?[/?]", url)
