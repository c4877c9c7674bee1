"""Many script calls in a round trip: each gets its own reply, even if the connection breaks."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import ResponseError

from demo.server import EmbeddedServer
from satyapan.redis.script_calls import BatchConnection, ScriptCall, call_all
from satyapan.redis.scripts import Script

ECHO = "return KEYS[1]"


class Interrupted(BaseException):
    """Raised by a time limit in the middle of a call."""


def echo(redis: Redis, key: str, source: str = ECHO) -> ScriptCall[Any]:
    script: Script = redis.register_script(source)
    return ScriptCall(script, [key], [], lambda reply: reply)


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_each_call_has_its_own_reply_or_its_own_error(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        wrong = echo(redis, "x", "return redis.call('INCR', 'a', 'b')")

        replies = call_all(redis, [echo(redis, "a"), wrong, echo(redis, "b")])

    assert replies[0] == b"a"
    assert isinstance(replies[1], ResponseError)
    assert replies[2] == b"b"


def test_an_argument_that_is_not_valid_unicode_does_not_fail_other_calls(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.script_load(ECHO)

        replies = call_all(redis, [echo(redis, "a"), echo(redis, "\ud800"), echo(redis, "b")])

    assert replies == [b"a", "\ud800".encode(errors="surrogatepass"), b"b"]


def test_a_broken_connection_fails_all_calls_and_the_next_round_trip_works(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as server, Redis.from_url(server.url) as redis:
        connection = BatchConnection(redis)
        calls = [echo(redis, "a"), echo(redis, "b")]
        assert connection.call_all(calls) == [b"a", b"b"]

        server.kill()
        failed = connection.call_all(calls)
        server.restart()

        assert [isinstance(reply, Broken) for reply in failed] == [True, True]
        assert connection.call_all(calls) == [b"a", b"b"]
        connection.close()


def test_an_interrupted_round_trip_leaves_no_reply_for_the_next(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        connection = BatchConnection(redis)
        assert connection.call_all([echo(redis, "a")]) == [b"a"]
        # For 60,000 ms the server accepts scripts, and answers them afterwards.
        redis.client_pause(60_000, all=False)

        with pytest.raises(Interrupted), interrupted_after(0.1):
            connection.call_all([echo(redis, "a"), echo(redis, "b")])
        redis.client_unpause()

        assert connection.call_all([echo(redis, "c")]) == [b"c"]
        connection.close()
