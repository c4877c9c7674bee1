"""The engine's loop: a process doesn't outlive it, and a thread that waits gets its result."""

import asyncio
import subprocess
import sys
import threading

import pytest

from worker.engine.loop import EventLoop

PROGRAM = """
import asyncio, sys, threading
from worker.engine.loop import EventLoop

async def idle():
    await asyncio.Event().wait()

async def leave():
    sys.exit()

async def fail_unseen():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.Event().wait()

async def ends():
    return None

async def background():
    await {background}()

async def work():
    await {work}()

EventLoop(background).run(work())
"""


async def idle() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("background", "work"),
    [("idle", "leave"), ("leave", "idle"), ("idle", "fail_unseen")],
    ids=["an exit in a run", "an exit beside the runs", "an error that nobody waits for"],
)
def test_a_process_whose_loop_dies_ends(background: str, work: str) -> None:
    program = PROGRAM.format(background=background, work=work)

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=30, capture_output=True
    )

    assert ended.returncode == 70
    assert b"the event loop died" in ended.stderr


def test_a_process_ends_as_usual_while_its_loop_still_turns() -> None:
    program = PROGRAM.format(background="idle", work="ends")

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=30, capture_output=True
    )

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_threads_share_one_loop_and_each_gets_its_own_result() -> None:
    loop, found = EventLoop(idle), list[tuple[int, int]]()

    async def answer(number: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return number, threading.get_ident()

    threads = [
        threading.Thread(target=lambda n=n: found.append(loop.run(answer(n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(number for number, _ in found) == list(range(8))
    assert len({thread for _, thread in found}) == 1
    assert threading.get_ident() not in {thread for _, thread in found}


def test_an_error_reaches_the_thread_that_waits() -> None:
    async def fail() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        EventLoop(idle).run(fail())


def test_a_loop_that_does_not_turn_is_noticed_and_one_that_turns_again_is_not() -> None:
    loop, stands, may_go = EventLoop(idle), threading.Event(), threading.Event()

    async def stand_still() -> None:
        stands.set()
        assert may_go.wait(20)

    async def turn() -> None:
        return None

    assert loop.stalled_s(0.0) == loop.stalled_s(100.0) == 0  # it was never needed
    still = threading.Thread(target=loop.run, args=[stand_still()])
    still.start()
    assert stands.wait(20)

    stalled = [loop.stalled_s(now) for now in (200.0, 201.0, 215.0)]
    may_go.set()
    still.join(20)
    loop.run(turn())

    assert stalled == [0, 1, 15]
    assert loop.stalled_s(300.0) == 0
