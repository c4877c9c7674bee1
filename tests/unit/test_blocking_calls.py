"""Blocking calls run in a bounded set of threads, and their results wake the loop in groups."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.own_loop import run_in_own_loop
from worker.engine.blocking_calls import BlockingCalls


def in_loop(size: int, *calls: Callable[[], Any]) -> list[Any]:
    async def main() -> list[Any]:
        threads = BlockingCalls(size)
        return await asyncio.gather(*map(threads.run, calls), return_exceptions=True)

    return run_in_own_loop(main())


def test_as_many_calls_block_at_once_as_the_limit_allows() -> None:
    together, lock, running, most = threading.Barrier(3, timeout=20), threading.Lock(), [0], [0]

    def call(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()
        with lock:
            running[0] -= 1
        return number

    assert in_loop(3, *(partial(call, number) for number in range(9))) == list(range(9))
    assert most == [3]


def test_consecutive_calls_share_one_thread() -> None:
    async def main() -> set[int]:
        threads = BlockingCalls(8)
        return {await threads.run(threading.get_ident) for _ in range(20)}

    assert len(run_in_own_loop(main())) == 1


@pytest.mark.parametrize("error", [ValueError("odd"), StopIteration(), SystemExit()])
def test_an_error_ends_only_its_own_call(error: BaseException) -> None:
    def fail() -> None:
        raise error

    failed, fine = in_loop(1, fail, lambda: "fine")

    assert isinstance(failed, ValueError | RuntimeError)
    assert fine == "fine"


def test_results_that_come_together_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(8, timeout=20)

    async def main() -> int:
        threads, loop = BlockingCalls(8), asyncio.get_running_loop()
        wakes, wake = [0], loop.call_soon_threadsafe

        def counted(*arguments: Any, **options: Any) -> Any:
            wakes[0] += 1
            return wake(*arguments, **options)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        calls = [threads.run(together.wait) for _ in range(8)]
        eventually(lambda: len(threads._done) == 8)  # this blocks the loop meanwhile
        await asyncio.gather(*calls)
        return wakes[0]

    assert run_in_own_loop(main()) == 1


def test_a_result_for_a_run_that_was_cancelled_is_dropped() -> None:
    may_end = threading.Event()

    async def main() -> str:
        threads = BlockingCalls(1)
        cancelled = threads.run(partial(may_end.wait, 20))
        cancelled.cancel()
        may_end.set()
        return await threads.run(lambda: "next")

    assert run_in_own_loop(main()) == "next"
