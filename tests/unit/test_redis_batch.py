"""Redis calls of many runs share a round trip; each gets its own result."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from satyapan.redis.script_calls import ScriptCall
from tests.support.own_loop import run_in_own_loop
from worker.engine.redis_batch import RedisBatch


def call(name: str) -> ScriptCall[str]:
    return ScriptCall(None, [name], [], str)  # type: ignore[arg-type] # no script is called here


class Server:
    """A fake server: returns the key of each call, or the error given for that key."""

    def __init__(self, **errors: Exception) -> None:
        self.trips: list[list[str]] = []
        self.errors = errors

    def call_all(self, calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        keys = [each.keys[0] for each in calls]
        self.trips.append(keys)
        return [self.errors.get(key, key) for key in keys]


def test_calls_of_one_turn_share_a_round_trip_and_later_ones_use_the_next() -> None:
    server = Server()

    async def main() -> list[str]:
        batch = RedisBatch(server.call_all)
        first = await asyncio.gather(*(batch.call(call(name)) for name in "abc"))
        return [*first, await batch.call(call("d"))]

    assert run_in_own_loop(main()) == ["a", "b", "c", "d"]
    assert server.trips == [["a", "b", "c"], ["d"]]


def test_calls_are_gathered_until_a_turn_brings_no_further_one() -> None:
    server = Server()

    async def main() -> None:
        batch = RedisBatch(server.call_all)

        async def after(turns: int, name: str) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await batch.call(call(name))

        await asyncio.gather(*map(after, (0, 1, 2, 5, 8), "abcde"))

    run_in_own_loop(main())
    assert server.trips == [["a", "b", "c"], ["d"], ["e"]]


def test_an_error_reaches_only_its_own_call() -> None:
    server = Server(b=redis.ResponseError("no"))

    async def main() -> list[Any]:
        batch = RedisBatch(server.call_all)
        calls = (batch.call(call(name)) for name in "abc")
        return await asyncio.gather(*calls, return_exceptions=True)

    results = run_in_own_loop(main())

    assert (results[0], results[2]) == ("a", "c")
    assert isinstance(results[1], redis.ResponseError)


@pytest.mark.parametrize("error", [ValueError("odd"), StopIteration()])
def test_every_call_of_a_broken_round_trip_fails_and_the_next_one_works(
    error: Exception,
) -> None:
    server, errors = Server(), [error]

    def call_all(calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        if errors:
            raise errors.pop()
        return server.call_all(calls)

    async def main() -> list[Any]:
        batch = RedisBatch(call_all)
        calls = [batch.call(call(name)) for name in "ab"]
        results = await asyncio.gather(*calls, return_exceptions=True)
        return [*results, await batch.call(call("c"))]

    *failed, after = run_in_own_loop(main())

    assert all(isinstance(each, Exception) for each in failed)
    assert after == "c"


def test_a_cancelled_call_does_not_affect_the_others() -> None:
    async def main() -> str:
        batch = RedisBatch(Server().call_all)
        cancelled, other = batch.call(call("a")), batch.call(call("b"))
        cancelled.cancel()
        return await other

    assert run_in_own_loop(main()) == "b"
