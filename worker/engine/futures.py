"""Settle futures; an outcome that asyncio refuses fails only the run that awaits it."""

import asyncio
from typing import Any


def settle(future: asyncio.Future[Any], outcome: Any) -> None:  # noqa: ANN401  result or error
    """Set a future's result, or its exception if `outcome` is one.

    asyncio refuses StopIteration in a future, and an exit in one would end the loop.
    """
    if future.done():
        return
    if not isinstance(outcome, BaseException):
        future.set_result(outcome)
    elif isinstance(outcome, Exception) and not isinstance(outcome, StopIteration):
        future.set_exception(outcome)
    else:
        future.set_exception(RuntimeError(type(outcome).__name__))
