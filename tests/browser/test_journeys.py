"""A person walks through DigiLocker's consent in the sandbox, and comes back to our page."""

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from demo.stage import Stage
from satyapan import State, Verification, linked, settled
from shared.return_tokens import ReturnTokens, return_url
from tests.support.browser import Look, Person, person

pytestmark = pytest.mark.browser

ASKED = ["AADHAAR", "PAN"]
NUMBERS = itertools.count(1)
BOTH = pytest.mark.parametrize("lang", ["en", "hi"])


def begin(stage: Stage) -> Verification:
    """Submit a journey and wait for its link."""
    verifications = stage.verifications("browser")
    key = f"person-{next(NUMBERS)}"
    row = verifications.submit("digilocker", {"document_requested": ASKED}, key=key)
    return verifications.wait(row.id, timeout=60, until=linked)


def end(stage: Stage, verification_id: str) -> Verification:
    """Wait until a journey is settled."""
    return stage.verifications("browser").wait(verification_id, timeout=60, until=settled)


@contextmanager
def nobody_works(stage: Stage) -> Iterator[None]:
    """Hold the worker inside the block, so that the page is seen to wait."""
    os.killpg(stage.pid(), signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(stage.pid(), signal.SIGCONT)


def arrives(somebody: Person, stage: Stage, lang: str) -> None:
    """Look whether the return page is ours, in the right language, and waits."""
    somebody.page.wait_for_url(f"{stage.callbacks_url}/return/**")
    assert somebody.page.locator("html").get_attribute("lang") == lang
    assert somebody.state == "confirming"
    somebody.page.evaluate("window.same = true")


def is_told(somebody: Person, state: str, picture: str) -> None:
    """Wait until the page says how it ended, without a reload."""
    somebody.sees(state)
    assert somebody.page.evaluate("window.same"), "the page was loaded anew"
    somebody.judge()
    somebody.picture(picture)


@BOTH
def test_consent(browser: Browser, stage: Stage, lang: str) -> None:
    journey = begin(stage)
    with person(browser, Look(lang, width=390)) as somebody:
        somebody.page.goto(journey.link)
        with nobody_works(stage):
            somebody.page.get_by_role("button", name="Allow").click()
            arrives(somebody, stage, lang)
        is_told(somebody, "received", f"journey-consent-{lang}")

    ended = end(stage, journey.id)
    assert ended.state is State.DONE
    assert set((ended.result or {})["documents"]) == set(ASKED)


@BOTH
def test_partial_consent(browser: Browser, stage: Stage, lang: str) -> None:
    journey = begin(stage)
    with person(browser, Look(lang, dark=True)) as somebody:
        somebody.page.goto(journey.link)
        somebody.page.get_by_label("PAN card").uncheck()
        with nobody_works(stage):
            somebody.page.get_by_role("button", name="Allow").click()
            arrives(somebody, stage, lang)
        is_told(somebody, "received", f"journey-partial-{lang}")

    assert set((end(stage, journey.id).result or {})["documents"]) == {"AADHAAR"}


@BOTH
def test_denial_by_keyboard_alone(browser: Browser, stage: Stage, lang: str) -> None:
    journey = begin(stage)
    with person(browser, Look(lang)) as somebody:
        somebody.page.goto(journey.link)
        somebody.tab_to("button[value=deny]")
        with nobody_works(stage):
            somebody.page.keyboard.press("Enter")
            arrives(somebody, stage, lang)
        is_told(somebody, "declined", f"journey-denial-{lang}")

    assert end(stage, journey.id).state is State.DENIED


@BOTH
def test_expiry(browser: Browser, stage: Stage, lang: str) -> None:
    journey = begin(stage)
    hooks = stage.settings.callbacks
    tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], 3600)
    back = return_url(stage.callbacks_url, "digilocker", tokens.sign("digilocker", journey.id))
    with person(browser, Look(lang)) as somebody:
        somebody.page.goto(journey.link)
        stage.control("webhooks", {"off": True})
        stage.control("clock", {"advance_s": 601})
        somebody.page.get_by_role("button", name="Allow").click()
        assert "expired" in somebody.page.title().lower()

        somebody.page.goto(f"{back}?verification_id={journey.id}")
        somebody.sees("expired")
        somebody.judge()
        somebody.picture(f"journey-expiry-{lang}")

    stage.control("webhooks", {"off": False})
    assert end(stage, journey.id).state is State.EXPIRED
