"""Texts, states and redirects of the return page, without a server."""

import json
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from callbacks.returns import pages
from callbacks.returns.handler import redirect_url
from callbacks.returns.pages import CONFIRMING, PAGE_OF, SLOW, depends_on_time, languages, page_at
from config.brand import Brand
from satyapan.kinds.consent import NOTHING_SHARED
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


def language_file(lang: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(
        FOLDER.joinpath("languages", f"{lang}.json").read_text(encoding="utf-8")
    )
    return content


def shape(content: object) -> object:
    """Return the keys at every level, and check that no text is empty or padded."""
    if isinstance(content, dict):
        return {key: shape(value) for key, value in content.items()}
    if isinstance(content, bool):
        return bool
    assert isinstance(content, str)
    assert content.strip() == content
    return bool(content)


def placeholders(content: object) -> object:
    """Return the names in braces at every level."""
    if isinstance(content, dict):
        return {key: placeholders(value) for key, value in content.items()}
    return sorted(re.findall(r"\{(\w*)\}", str(content)))


def texts(content: object) -> Iterator[str]:
    """Yield the texts of a language, without their placeholders."""
    if isinstance(content, dict):
        for value in content.values():
            yield from texts(value)
    elif isinstance(content, str):
        yield re.sub(r"\{\w*\}", "", content)


def scripts(text: str) -> set[str]:
    """Return the scripts of a text's letters and vowel signs: LATIN, TAMIL and so on."""
    return {
        unicodedata.name(char).split()[0] for char in text if unicodedata.category(char)[0] in "LM"
    }


def test_every_language_file_is_an_offered_language() -> None:
    stems = [path.stem for path in FOLDER.joinpath("languages").iterdir()]

    assert sorted(stems) == sorted(LANGUAGES)
    assert LANGUAGES[:2] == ("en", "hi")


def test_a_new_language_needs_only_a_new_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "callbacks"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    gujarati = json.dumps({**language_file("en"), "name": "ગુજરાતી"})
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
    assert shape(language_file(lang)) == shape(language_file("en"))
    assert placeholders(language_file(lang)) == placeholders(language_file("en"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_in_the_script_of_its_language(lang: str) -> None:
    own = SCRIPTS.get(lang) or scripts(str(language_file(lang)["name"]))

    # The danda that ends a sentence belongs to several scripts and is not a letter.
    assert [text for text in texts(language_file(lang)) if scripts(text) != own] == []


def test_only_english_is_marked_as_reviewed() -> None:
    marks = {lang: language_file(lang)["reviewed"] for lang in LANGUAGES}

    assert marks == {lang: lang == "en" for lang in LANGUAGES}


def test_every_state_has_an_existing_page() -> None:
    assert set(PAGE_OF) == set(State)
    assert {*PAGE_OF.values(), SLOW, NOTHING_SHARED} <= set(language_file("en"))


@pytest.mark.parametrize("state", State)
def test_only_a_finished_journey_says_that_nothing_was_shared(state: State) -> None:
    row = Row(id="v-1", kind="digilocker", state=state, reason=NOTHING_SHARED)

    expected = NOTHING_SHARED if state is State.DONE else PAGE_OF[state]
    assert page_at(row, 0) == (expected, 0)
    assert page_at(replace(row, reason="partial"), 0) == (PAGE_OF[state], 0)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_only_placeholders_are_the_minutes_and_the_brands_name(lang: str) -> None:
    content = language_file(lang)
    slow, back = content.pop("slow"), content.pop("back")

    assert placeholders(slow) == {"title": [], "text": ["minutes"]}
    assert placeholders(back) == ["name"]
    assert re.findall(r"\{\w*\}", json.dumps(content)) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_text_about_the_button_quotes_its_label(lang: str) -> None:
    content = language_file(lang)

    assert f"“{content['again']}”" in str(content["paused"])


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
def test_a_row_without_a_requested_status_check_is_never_slow(state: State) -> None:
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
def test_an_allowed_return_url_gets_the_verification_id(return_url: str, expected: str) -> None:
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
def test_any_other_return_url_is_refused(return_url: str) -> None:
    assert redirect_url(return_url, "v-1", HOSTS) is None


@given(st.lists(st.sampled_from(["shop.example", "evil", ":8443", *"/\\@?#.&= \t\n[]%:"])))
def test_no_text_redirects_to_another_host_or_raises(parts: list[str]) -> None:
    url = redirect_url(f"https://{''.join(parts)}", "v-1", HOSTS)

    assert url is None or re.match(r"https://shop\.example(:8443)?[/?]", url)
