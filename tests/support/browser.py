"""A real Chromium as a person uses it: in a language, light or dark, small or zoomed; and a judge.

Every page that is opened here is watched: what it asks of other hosts, and what the browser
complains about, fails the test that looks.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from tests.support.project import ROOT

PICTURES: Final = ROOT / "test-output" / "screenshots"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS: Final = 60_000
ZOOM: Final = 4


def program() -> str | None:
    """Find Chromium on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def required() -> bool:
    """Tell whether a missing Chromium is a failure."""
    return os.environ.get("SATYAPAN_REQUIRE_BROWSER") == "1"


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Start Chromium; it is gone after the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an app on a real socket; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@dataclass(frozen=True)
class Look:
    """How somebody looks at pages."""

    lang: str = "en"
    dark: bool = False
    width: int = 1280
    zoomed: bool = False
    script: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """What Playwright calls it; at 400 % a window has a quarter of its room."""
        room = {"width": self.width, "height": 800}
        scale = 1
        if self.zoomed:
            room, scale = {"width": self.width // ZOOM, "height": 1024 // ZOOM}, ZOOM
        return {
            "locale": f"{self.lang}-IN",
            "color_scheme": "dark" if self.dark else "light",
            "viewport": room,
            "device_scale_factor": scale,
            "java_script_enabled": self.script,
        }


@dataclass
class Person:
    """Somebody with a browser window."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Which of our pages is shown."""
        return self.page.locator("body").get_attribute("data-page") or ""

    def sees(self, state: str) -> None:
        """Wait until a page of ours is shown, or shows this."""
        self.page.locator(f"body[data-page={state}]").wait_for(timeout=WAIT_MS)

    def tab_to(self, selector: str) -> None:
        """Press Tab until this has the focus."""
        for _ in range(20):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} can't be reached by keyboard")

    def picture(self, name: str) -> None:
        """Leave a picture for a person to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def judge(self) -> None:
        """Fail on what axe, the browser, or a person who can't scroll sideways would object to."""
        found = Axe().run(self.page, options={"runOnly": RULES, "resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        room = self.page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert room[0] <= room[1], "it has to be scrolled sideways"
        assert self.complaints == []
        assert {urlsplit(url).hostname for url in self.asked} == {"127.0.0.1"}
        assert self.page.context.cookies() == []


@contextmanager
def person(browser: Browser, look: Look) -> Iterator[Person]:
    """Open a window of one's own, with nothing remembered."""
    context = browser.new_context(**look.options)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    somebody = Person(page)
    page.on("request", lambda request: somebody.asked.append(request.url))
    page.on("pageerror", lambda error: somebody.complaints.append(str(error)))
    page.on("console", lambda line: _heard(somebody, line.type, line.text))
    yield somebody
    context.close()


def _heard(somebody: Person, kind: str, text: str) -> None:
    """Note an error, but for an answer's status: pages with 404 and 503 are meant to have it."""
    if kind == "error" and "the server responded with a status of" not in text:
        somebody.complaints.append(text)
