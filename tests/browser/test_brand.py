"""The return page with a brand: shown, readable and centred, in a real Chromium."""

import re
from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Browser, Page

from callbacks.app import create_app
from config.settings import read_settings
from demo.server import EmbeddedServer
from satyapan.records import State
from shared.return_tokens import ReturnTokens
from tests.support.browser import Display, browser_window, served
from tests.web.callbacks_app import TOKEN_KEY, environment, insert

pytestmark = pytest.mark.browser

ROW = "satyapan:row:dl-1"
PATH = "/return/digilocker/" + ReturnTokens([TOKEN_KEY], 3600).sign("digilocker", "dl-1")
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" onload="alert(1)">
<style>rect { fill: #97144d }</style><rect width="48" height="48" rx="9"/>
<image href="https://elsewhere.example/pixel.png"/><script>alert(1)</script></svg>"""
PAGES = {
    "confirming": State.PENDING,
    "received": State.DONE,
    "later": State.PARKED,
    "unknown": None,
}
# For each element with text of its own: the colours of the text and of its background.
COLOURS = """() => [...document.querySelectorAll("body *")]
    .filter(each => each.checkVisibility() && [...each.childNodes].some(
        child => child.nodeType === Node.TEXT_NODE && child.textContent.trim()))
    .filter(each => !each.matches("style, script"))
    .map(each => {
        let behind = each;
        while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
            behind = behind.parentElement;
        return [each.textContent, getComputedStyle(each).color,
            getComputedStyle(behind).backgroundColor];
    })"""
MIDDLE = """() => {
    const card = document.querySelector(".card").getBoundingClientRect();
    return [card.x + card.width / 2 - innerWidth / 2, card.y + card.height / 2 - innerHeight / 2];
}"""


@pytest.fixture(scope="module")
def base(redis_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app with a brand; return its address."""
    logo = tmp_path_factory.mktemp("brand") / "logo.svg"
    logo.write_text(LOGO, encoding="utf-8")
    env = environment(
        redis_server.url,
        CALLBACKS_BRAND_NAME="Sahyog Co-operative Bank",
        CALLBACKS_BRAND_LOGO=str(logo),
        CALLBACKS_BRAND_COLOUR="#97144d",
        CALLBACKS_BRAND_LINK="https://bank.example/app",
    )
    with served(create_app(read_settings(env))) as url:
        yield url


def opened(base: str, redis_url: str, name: str) -> str:
    """Prepare a page; return its address."""
    state = PAGES[name]
    if state is None:
        return f"{base}/return/digilocker/nonsense"
    insert(redis_url, state)
    return base + PATH


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)`, as WCAG 2.2 defines it."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)]
    assert len(parts) == 3, "a transparent colour has no luminance of its own"
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def hard_to_read(page: Page) -> list[tuple[str, float]]:
    """Return the texts of a page whose contrast is below 4.5, and their contrast."""
    found = []
    texts = page.evaluate(COLOURS)
    assert len(texts) > 4
    for text, *colours in texts:
        low, high = sorted(map(luminance, colours))
        found.append((text, (high + 0.05) / (low + 0.05)))
    return [each for each in found if each[1] < 4.5]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_enough_contrast_in_the_brands_colour(
    browser: Browser, base: str, redis_url: str, name: str, dark: bool
) -> None:
    with browser_window(browser, Display(dark=dark, width=390)) as window:
        window.page.goto(opened(base, redis_url, name))

        assert window.state == name
        assert hard_to_read(window.page) == []
        assert window.page.locator("header bdi").inner_text() == "Sahyog Co-operative Bank"
        assert window.page.locator(".back").get_attribute("href") == "https://bank.example/app"
        drawn = "document.querySelector('header img').naturalWidth"
        assert window.page.evaluate(drawn) == 48, "the content policy blocks the logo"
        window.check()
        window.screenshot(f"brand-{name}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("name", ["confirming", "received"])
def test_the_card_is_centred_on_a_large_screen(
    browser: Browser, base: str, redis_url: str, name: str
) -> None:
    with browser_window(browser, Display(width=1280)) as window:
        window.page.goto(opened(base, redis_url, name))

        across, down = window.page.evaluate(MIDDLE)

    assert abs(across) <= 1
    assert abs(down) <= 1


def test_the_spinner_stops_when_the_page_no_longer_asks(
    browser: Browser, base: str, redis_url: str
) -> None:
    ring = "getComputedStyle(document.querySelector('.mark')).borderTopWidth !== '0px'"
    with browser_window(browser, Display()) as window:
        page = window.page
        page.clock.install()
        page.goto(opened(base, redis_url, "confirming"))
        assert page.evaluate(ring)
        assert not page.locator(".paused").is_visible()

        page.clock.fast_forward("16:00")
        page.locator(".paused").wait_for()

        assert not page.evaluate(ring)
        assert page.evaluate("document.getAnimations().length") == 0
        assert not page.locator(".live").is_visible()
        assert "Check again" in page.locator("[role=status]").inner_text()
        asked = len(window.requests)
        page.clock.fast_forward("16:00")
        assert len(window.requests) == asked
        assert hard_to_read(page) == []
        window.check()
        window.screenshot("brand-paused")

        page.get_by_role("link", name="Check again").click()
        page.locator("body[data-live]").wait_for()


def test_without_script_nothing_is_animated(browser: Browser, base: str, redis_url: str) -> None:
    with browser_window(browser, Display(script=False)) as window:
        window.page.goto(opened(base, redis_url, "confirming"))

        assert window.page.locator(".mark").evaluate("e => e.getAnimations().length") == 0
        assert window.page.locator("body[data-live]").count() == 0
        assert window.page.get_by_role("link", name="Check again").is_visible()


def test_the_title_keeps_the_name_when_the_page_changes(
    browser: Browser, base: str, redis_url: str
) -> None:
    with browser_window(browser, Display()) as window:
        window.page.goto(opened(base, redis_url, "confirming"))
        assert window.page.title().endswith("details – Sahyog Co-operative Bank")

        with redis.Redis.from_url(redis_url) as server:
            server.hset(ROW, "state", State.EXPIRED)
        window.wait_for_page("expired")

        assert window.page.title() == ("This link has run out of time – Sahyog Co-operative Bank")
