"""A real Chromium for these tests. Without one they are skipped, or fail if it is required."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from demo.local_stack import LocalStack
from tests.support.browser import chromium, program, required
from tests.support.toy_stack import toy_stack


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all tests of this process."""
    path = program()
    if path is None:
        missing = "Chromium is not installed (Debian: apt install chromium)"
        if required():
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium(path) as started:
        yield started


@pytest.fixture(scope="module")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Start all of Satyapan, with the sandbox and its pages for people."""
    with toy_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
