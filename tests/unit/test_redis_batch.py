"""What is asked of Redis in one turn of the loop shares a round trip; each call has its own end."""

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
    """Answers each call with its key, or with the error that stands for it."""

    def __init__(self, **errors: Exception) -> None:
        self.trips: list[list[str]] = []
        self.errors = errors

    def call_all(self, calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        keys = [each.keys[0] for each in calls]
        self.trips.append(keys)
        return [self.errors.get(key, key) for key in keys]


def test_calls_of_one_turn_share_a_round_trip_and_later_ones_have_the_next() -> None:
    server = Server()

    async def main() -> list[str]:
        batch = RedisBatch(server.call_all)
        first = await asyncio.gather(*(batch.call(call(name)) for name in "abc"))
        return [*first, await batch.call(call("d"))]

    assert run_in_own_loop(main()) == ["a", "b", "c", "d"]
    assert server.trips == [["a", "b", "c"], ["d"]]


def test_an_error_reaches_only_its_own_call() -> None:
    server = Server(b=redis.ResponseError("no"))

    async def main() -> list[Any]:
        batch = RedisBatch(server.call_all)
        calls = (batch.call(call(name)) for name in "abc")
        return await asyncio.gather(*calls, return_exceptions=True)

    found = run_in_own_loop(main())

    assert (found[0], found[2]) == ("a", "c")
    assert isinstance(found[1], redis.ResponseError)


@pytest.mark.parametrize("error", [ValueError("odd"), StopIteration()])
def test_whatever_breaks_a_round_trip_every_call_has_an_end_and_the_next_works(
    error: Exception,
) -> None:
    server, broken = Server(), [error]

    def call_all(calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        if broken:
            raise broken.pop()
        return server.call_all(calls)

    async def main() -> list[Any]:
        batch = RedisBatch(call_all)
        calls = [batch.call(call(name)) for name in "ab"]
        found = await asyncio.gather(*calls, return_exceptions=True)
        return [*found, await batch.call(call("c"))]

    *failed, after = run_in_own_loop(main())

    assert all(isinstance(each, Exception) for each in failed)
    assert after == "c"


def test_a_run_that_was_cancelled_takes_nothing_from_the_others() -> None:
    async def main() -> str:
        batch = RedisBatch(Server().call_all)
        cancelled, other = batch.call(call("a")), batch.call(call("b"))
        cancelled.cancel()
        return await other

    assert run_in_own_loop(main()) == "b"
