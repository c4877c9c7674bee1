"""Run a coroutine in a thread of its own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_in_own_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Return what the coroutine returns.

    The test's own thread may have a running loop already: a browser that an earlier test started
    keeps one there until the session ends, and `asyncio.run` refuses to start a second.
    """
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, main).result()
