"""A real Chromium: in a language, light or dark, small or zoomed, with checks of each page.

Requests to other hosts and errors of the browser are recorded, and `check` fails on them.
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
    """Return True if a missing Chromium is a failure."""
    return os.environ.get("SATYAPAN_REQUIRE_BROWSER") == "1"


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Run Chromium inside the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an app on a real socket; yield its address."""
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
class Display:
    """The settings of a browser window."""

    lang: str = "en"
    dark: bool = False
    width: int = 1280
    zoomed: bool = False
    script: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """The options of Playwright; at 400 % a window has a quarter of its size."""
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
class BrowserWindow:
    """A browser window."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The name of our page that is shown."""
        return self.page.locator("body").get_attribute("data-page") or ""

    def wait_for_page(self, state: str) -> None:
        """Wait until this page of ours is shown."""
        self.page.locator(f"body[data-page={state}]").wait_for(timeout=WAIT_MS)

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(20):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} can't be reached by keyboard")

    def screenshot(self, name: str) -> None:
        """Save a screenshot for people."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Fail on violations of axe, errors, sideways scrolling, other hosts and cookies."""
        found = Axe().run(self.page, options={"runOnly": RULES, "resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        room = self.page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert room[0] <= room[1], "it has to be scrolled sideways"
        assert self.errors == []
        assert {urlsplit(url).hostname for url in self.requests} == {"127.0.0.1"}
        assert self.page.context.cookies() == []


@contextmanager
def browser_window(browser: Browser, display: Display) -> Iterator[BrowserWindow]:
    """Open a window with an empty profile."""
    context = browser.new_context(**display.options)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    window = BrowserWindow(page)
    page.on("request", lambda request: window.requests.append(request.url))
    page.on("pageerror", lambda error: window.errors.append(str(error)))
    page.on("console", lambda line: _record_error(window, line.type, line.text))
    yield window
    context.close()


def _record_error(window: BrowserWindow, kind: str, text: str) -> None:
    """Record an error, except one about a status: 404 and 503 are expected."""
    if kind == "error" and "the server responded with a status of" not in text:
        window.errors.append(text)
