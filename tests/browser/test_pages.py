"""Checks and screenshots of every page: in every language, light, dark, small and zoomed."""

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
import redis
from playwright.sync_api import Browser, FloatRect, Locator

from callbacks.app import create_app
from callbacks.returns.pages import FIRST_LANGUAGES, languages
from config.settings import read_settings
from demo.server import EmbeddedServer
from satyapan.kinds.consent import NOTHING_SHARED
from satyapan.records import State
from shared.return_tokens import ReturnTokens
from tests.support.browser import Display, browser_window, served
from tests.web.callbacks_app import TOKEN_KEY, asked_ago, environment, insert

pytestmark = pytest.mark.browser

ROW = "satyapan:row:dl-1"
STATES = {
    "confirming": State.PENDING,
    "slow": State.PENDING,
    "received": State.DONE,
    "nothing_shared": State.DONE,
    "declined": State.DENIED,
    "expired": State.EXPIRED,
    "later": State.PARKED,
}
PAGES = [*STATES, "unavailable", "unknown"]
LONG = {"slow", "declined", "nothing_shared"}
"""The pages with the longest text and heading; other languages are checked on these only."""
LOOKS = {
    "light": Display(),
    "dark-320px": Display(dark=True, width=320),
    "zoomed-400": Display(zoomed=True),
}
WATCH = """() => {
    const region = document.querySelector("[role=status]");
    window.region = region;
    window.said = [region.innerText];
    new MutationObserver(() => window.said.push(region.innerText))
        .observe(region, {subtree: true, childList: true, characterData: true});
}"""
TOKEN = ReturnTokens([TOKEN_KEY], 3600).sign("digilocker", "dl-1")


@pytest.fixture(scope="module")
def base(redis_server: EmbeddedServer) -> Iterator[str]:
    """Serve the app on a real socket; return its address."""
    with served(create_app(read_settings(environment(redis_server.url)))) as url:
        yield url


@pytest.fixture
def address(base: str, redis_url: str) -> Callable[[str], str]:
    """Prepare a page; return its address."""

    def prepared(page: str) -> str:
        if page == "unknown":
            return f"{base}/return/digilocker/nonsense"
        reason = page if page == NOTHING_SHARED else ""
        insert(redis_url, STATES.get(page, State.PENDING), reason=reason)
        if page == "slow":
            asked_ago(redis_url, minutes=3)
        if page == "unavailable":
            with redis.Redis.from_url(redis_url) as server:
                server.delete(ROW)
                server.set(ROW, "no row: reading it fails")
        return f"{base}/return/digilocker/{TOKEN}"

    return prepared


@pytest.mark.parametrize(
    ("page", "lang"),
    [
        (page, lang)
        for page in PAGES
        for lang in languages()
        if lang in FIRST_LANGUAGES or page in LONG
    ],
)
def test_every_page_is_accessible_in_every_display(
    browser: Browser, address: Callable[[str], str], page: str, lang: str
) -> None:
    url = address(page)

    for name, look in LOOKS.items():
        with browser_window(browser, Display(lang, look.dark, look.width, look.zoomed)) as window:
            window.page.goto(url)
            assert window.state == page
            window.check()
            window.screenshot(f"{page}-{lang}-{name}")


def test_an_open_page_updates_itself_and_a_screen_reader_announces_it(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    with browser_window(browser, Display("hi")) as window:
        page = window.page
        page.goto(address("confirming"))
        page.evaluate("window.same = document.querySelector('[role=status]')")
        assert page.locator(".live").is_visible()

        with redis.Redis.from_url(redis_url) as server:
            server.hset(ROW, "state", State.DONE)
        window.wait_for_page("received")

        assert page.evaluate("window.same === document.querySelector('[role=status]')"), "reloaded"
        assert "धन्यवाद" in page.locator("[role=status]").inner_text()
        assert "धन्यवाद" in page.title()
        assert page.locator(".again").count() == 0
        assert not page.locator(".live").is_visible()
        asked = len(window.requests)
        page.wait_for_timeout(3_000)
        assert len(window.requests) == asked, "it still sends requests"
        window.check()


def test_an_open_page_announces_how_long_it_takes_and_never_repeats_a_text(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    with browser_window(browser, Display()) as window:
        page = window.page
        page.goto(address("confirming"))
        page.evaluate(WATCH)
        window.tab_to(".again")

        asked_ago(redis_url, minutes=3)
        window.wait_for_page("slow")
        for _ in range(2):
            with page.expect_response(lambda answer: "/state" in answer.url):
                pass
        asked_ago(redis_url, minutes=60)
        page.get_by_text(re.compile("more than 6[0-9]")).wait_for()

        said = page.evaluate("window.said")
        assert "less than a minute" in said[0]
        assert "still confirming" in page.title()
        assert re.search("still confirming.*more than [3-9]", said[1], re.DOTALL)
        assert all(new != old for old, new in itertools.pairwise(said)), "a text is announced twice"
        assert page.evaluate("window.region === document.querySelector('[role=status]')")
        assert page.evaluate("document.activeElement.matches('.again')"), "the focus moved"
        assert page.locator(".live").is_visible()
        window.check()


def test_a_slow_page_still_changes_when_it_is_settled(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    with browser_window(browser, Display("hi")) as window:
        window.page.goto(address("slow"))
        assert window.state == "slow"
        assert "मिनट से ज़्यादा" in window.page.locator("[role=status]").inner_text()

        with redis.Redis.from_url(redis_url) as server:
            server.hset(ROW, "state", State.DONE)

        window.wait_for_page("received")
        assert window.page.locator(".again").count() == 0


def test_keyboard_focus_moves_from_check_again_to_the_new_heading(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    with browser_window(browser, Display()) as window:
        window.page.goto(address("confirming"))
        window.tab_to(".again")
        with redis.Redis.from_url(redis_url) as server:
            server.hset(ROW, "state", State.EXPIRED)

        window.wait_for_page("expired")

        assert window.page.evaluate("document.activeElement.tagName") == "H1"


def test_an_open_page_survives_a_short_outage_of_the_server(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    url = address("confirming")
    with redis.Redis.from_url(redis_url) as server, browser_window(browser, Display()) as window:
        window.page.goto(url)
        row = server.dump(ROW)
        server.set(ROW, "no row")
        with window.page.expect_response(lambda answer: answer.status == 503):
            pass
        assert window.state == "confirming"

        server.restore(ROW, 0, row, replace=True)
        server.hset(ROW, "state", State.DENIED)

        window.wait_for_page("declined")


def test_without_script_a_person_can_check_again(
    browser: Browser, address: Callable[[str], str], redis_url: str
) -> None:
    with browser_window(browser, Display(script=False)) as window:
        window.page.goto(address("confirming") + "?verification_id=forged")
        assert not window.page.locator(".live").is_visible()
        with redis.Redis.from_url(redis_url) as server:
            server.hset(ROW, "state", State.DONE)

        window.page.get_by_role("link", name="Check again").click()

        assert window.state == "received"
        assert "verification_id" not in window.page.url


def test_the_keyboard_reaches_every_link_and_the_focus_is_visible(
    browser: Browser, address: Callable[[str], str]
) -> None:
    with browser_window(browser, Display()) as window:
        window.page.goto(address("confirming"))

        window.tab_to(".again")
        assert window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == (
            "solid"
        )
        window.screenshot("confirming-en-focus")
        window.tab_to("footer a")
        window.page.keyboard.press("Enter")
        window.page.wait_for_url("**?lang=hi")

        assert window.page.locator("html").get_attribute("lang") == "hi"


def test_every_link_is_large_enough_for_a_finger(
    browser: Browser, address: Callable[[str], str]
) -> None:
    with browser_window(browser, Display(width=320)) as window:
        window.page.goto(address("confirming"))

        heights = [box["height"] for box in map(_box, window.page.locator("a").all())]

    assert heights
    assert min(heights) >= 44


def _box(link: Locator) -> FloatRect:
    box = link.bounding_box()
    assert box
    return box
