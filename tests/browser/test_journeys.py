"""A person gives consent in the sandbox's DigiLocker and returns to our page."""

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from demo.local_stack import LocalStack
from satyapan import State, Verification, linked, settled
from shared.return_tokens import ReturnTokens, return_url
from tests.support.browser import BrowserWindow, Display, browser_window

pytestmark = pytest.mark.browser

ASKED = ["AADHAAR", "PAN"]
NUMBERS = itertools.count(1)
BOTH = pytest.mark.parametrize("lang", ["en", "hi"])


def begin(stack: LocalStack, kind: str = "digilocker", **request: object) -> Verification:
    """Submit a journey and wait for its link."""
    verifications = stack.verifications("browser")
    key = f"person-{next(NUMBERS)}"
    row = verifications.submit(kind, request or {"document_requested": ASKED}, key=key)
    return verifications.wait(row.id, timeout=60, until=linked)


def end(stack: LocalStack, verification_id: str) -> Verification:
    """Wait until a journey is settled."""
    return stack.verifications("browser").wait(verification_id, timeout=60, until=settled)


@contextmanager
def worker_held(stack: LocalStack) -> Iterator[None]:
    """Stop the worker during the block, so that the page has to wait."""
    os.killpg(stack.pid(), signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(stack.pid(), signal.SIGCONT)


def assert_waiting(window: BrowserWindow, stack: LocalStack, lang: str) -> None:
    """Assert that the window shows our return page, in the right language, and that it waits."""
    window.page.wait_for_url(f"{stack.callbacks_url}/return/**")
    assert window.page.locator("html").get_attribute("lang") == lang
    assert window.state == "confirming"
    window.page.evaluate("window.same = true")


def assert_result(window: BrowserWindow, state: str, picture: str) -> None:
    """Wait until the page shows the result, without a reload."""
    window.wait_for_page(state)
    assert window.page.evaluate("window.same"), "the page was reloaded"
    window.check()
    window.screenshot(picture)


@BOTH
def test_consent(browser: Browser, stack: LocalStack, lang: str) -> None:
    journey = begin(stack)
    with browser_window(browser, Display(lang, width=390)) as window:
        window.page.goto(journey.link)
        with worker_held(stack):
            window.page.get_by_role("button", name="Allow").click()
            assert_waiting(window, stack, lang)
        assert_result(window, "received", f"journey-consent-{lang}")

    ended = end(stack, journey.id)
    assert ended.state is State.DONE
    assert set((ended.result or {})["documents"]) == set(ASKED)


@BOTH
def test_partial_consent(browser: Browser, stack: LocalStack, lang: str) -> None:
    journey = begin(stack)
    with browser_window(browser, Display(lang, dark=True)) as window:
        window.page.goto(journey.link)
        window.page.get_by_label("PAN card").uncheck()
        with worker_held(stack):
            window.page.get_by_role("button", name="Allow").click()
            assert_waiting(window, stack, lang)
        assert_result(window, "received", f"journey-partial-{lang}")

    ended = end(stack, journey.id)
    assert ended.reason == "partial"
    assert set((ended.result or {})["documents"]) == {"AADHAAR"}


@BOTH
def test_consent_to_nothing(browser: Browser, stack: LocalStack, lang: str) -> None:
    journey = begin(stack)
    with browser_window(browser, Display(lang)) as window:
        window.page.goto(journey.link)
        for box in window.page.get_by_role("checkbox").all():
            box.uncheck()
        with worker_held(stack):
            window.page.get_by_role("button", name="Allow").click()
            assert_waiting(window, stack, lang)
        assert_result(window, "nothing_shared", f"journey-nothing-{lang}")

    assert end(stack, journey.id).reason == "nothing_shared"


@BOTH
def test_denial_by_keyboard_alone(browser: Browser, stack: LocalStack, lang: str) -> None:
    journey = begin(stack)
    with browser_window(browser, Display(lang)) as window:
        window.page.goto(journey.link)
        window.tab_to("button[value=deny]")
        with worker_held(stack):
            window.page.keyboard.press("Enter")
            assert_waiting(window, stack, lang)
        assert_result(window, "declined", f"journey-denial-{lang}")

    assert end(stack, journey.id).state is State.DENIED


@BOTH
def test_expiry(browser: Browser, stack: LocalStack, lang: str) -> None:
    journey = begin(stack)
    hooks = stack.settings.callbacks
    tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], 3600)
    back = return_url(stack.callbacks_url, "digilocker", tokens.sign("digilocker", journey.id))
    with browser_window(browser, Display(lang)) as window:
        window.page.goto(journey.link)
        stack.control("webhooks", {"off": True})
        stack.control("clock", {"advance_s": 601})
        window.page.get_by_role("button", name="Allow").click()
        assert "expired" in window.page.title().lower()

        window.page.goto(f"{back}?verification_id={journey.id}")
        window.wait_for_page("expired")
        window.check()
        window.screenshot(f"journey-expiry-{lang}")

    stack.control("webhooks", {"off": False})
    assert end(stack, journey.id).state is State.EXPIRED


def test_a_payment_on_the_page_of_a_reverse_penny_drop(browser: Browser, stack: LocalStack) -> None:
    journey = begin(stack, "reverse_penny_drop", name="John Doe")
    with browser_window(browser, Display("en", width=390)) as window:
        window.page.goto(journey.handoff["url"])
        with worker_held(stack):
            window.page.get_by_role("button", name="Pay ₹1").click()
            assert_waiting(window, stack, "en")
        assert_result(window, "received", "journey-reverse-penny-drop")

    ended = end(stack, journey.id)
    assert (ended.state, ended.status) == (State.DONE, "SUCCESS")
    assert (ended.result or {})["bank_account"] == "026291800001191"


def test_a_payment_of_a_toy(browser: Browser, stack: LocalStack) -> None:
    journey = begin(stack, "toy_pay", name="John Doe")
    with browser_window(browser, Display("en", width=390)) as window:
        window.page.goto(journey.link)
        with worker_held(stack):
            window.page.get_by_role("button", name="Pay ₹1").click()
            assert_waiting(window, stack, "en")
        assert_result(window, "received", "journey-payment")

    assert end(stack, journey.id).state is State.DONE
