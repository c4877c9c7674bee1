"""Run a coroutine in its own thread."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_in_own_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in the loop of a new thread; return its result.

    The test's own thread may have a running loop already: a browser that an earlier test started
    keeps one there until the session ends, and `asyncio.run` refuses to start a second.
    """
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, main).result()
