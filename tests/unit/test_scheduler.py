"""The scheduler is stopped at the moment at which its patience ends."""

import asyncio
import time
from typing import Any

from tests.support.own_loop import run_in_own_loop
from worker.engine.room import Room
from worker.engine.scheduler import Scheduler

PATIENCE_S = 0.02


async def never(_verification_id: str) -> None:
    raise AssertionError("no run may begin")


def block_the_loop() -> None:
    """Block the loop, as a slow Redis does, until the patience has ended and the stop is due."""
    time.sleep(2 * PATIENCE_S)


async def stop_when_patience_has_just_ended() -> tuple[dict[str, Any], list[str]]:
    """Return the results of the runs, and the errors that the loop reported."""
    loop, errors = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: errors.append(str(context.get("exception"))))
    room = Room(1)
    room.take(1)
    scheduler: Scheduler[None] = Scheduler(0, room)
    waiting = asyncio.create_task(scheduler.run_all(["a"], never, PATIENCE_S))
    await asyncio.sleep(0)
    loop.call_later(PATIENCE_S, scheduler.stop)
    block_the_loop()
    return await waiting, errors


def test_a_stop_at_the_moment_at_which_patience_ends_raises_no_error() -> None:
    results, errors = run_in_own_loop(stop_when_patience_has_just_ended())

    assert (results, errors) == ({}, [])
