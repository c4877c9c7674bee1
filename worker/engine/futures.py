"""Settle futures; an outcome that asyncio refuses fails only the run that waits for it."""

import asyncio
from typing import Any


def settle(future: asyncio.Future[Any], outcome: Any) -> None:  # noqa: ANN401  result or error
    """Give a future its result, or its error if `outcome` is an exception.

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
