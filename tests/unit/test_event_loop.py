"""The engine's loop: its death ends the process, and waiting threads get their results."""

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

async def fail_in_callback():
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
    [("idle", "leave"), ("leave", "idle"), ("idle", "fail_in_callback")],
    ids=["an exit in a run", "an exit beside the runs", "an error outside any coroutine"],
)
def test_a_process_ends_when_its_loop_dies(background: str, work: str) -> None:
    program = PROGRAM.format(background=background, work=work)

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=30, capture_output=True
    )

    assert ended.returncode == 70
    assert b"the event loop died" in ended.stderr


def test_a_process_exits_normally_while_its_loop_is_running() -> None:
    program = PROGRAM.format(background="idle", work="ends")

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=30, capture_output=True
    )

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_threads_share_one_loop_and_each_gets_its_own_result() -> None:
    loop, results = EventLoop(idle), list[tuple[int, int]]()

    async def answer(number: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return number, threading.get_ident()

    threads = [
        threading.Thread(target=lambda n=n: results.append(loop.run(answer(n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(number for number, _ in results) == list(range(8))
    assert len({thread for _, thread in results}) == 1
    assert threading.get_ident() not in {thread for _, thread in results}


def test_an_error_is_raised_in_the_waiting_thread() -> None:
    async def fail() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        EventLoop(idle).run(fail())


def test_the_stall_is_measured_while_the_loop_is_blocked_and_resets_afterwards() -> None:
    loop, blocked, may_go = EventLoop(idle), threading.Event(), threading.Event()

    async def block() -> None:
        blocked.set()
        assert may_go.wait(20)

    async def run_one_turn() -> None:
        return None

    assert loop.stalled_s(0.0) == loop.stalled_s(100.0) == 0  # the loop was not started yet
    blocking_thread = threading.Thread(target=loop.run, args=[block()])
    blocking_thread.start()
    assert blocked.wait(20)

    stalled = [loop.stalled_s(now) for now in (200.0, 201.0, 215.0)]
    may_go.set()
    blocking_thread.join(20)
    loop.run(run_one_turn())

    assert stalled == [0, 1, 15]
    assert loop.stalled_s(300.0) == 0
