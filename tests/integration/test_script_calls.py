"""Many steps in one round trip: each has its own reply, whatever becomes of the connection."""

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
    """What a time limit throws into whatever is under way."""


def echo(redis: Redis, word: str, source: str = ECHO) -> ScriptCall[Any]:
    script: Script = redis.register_script(source)
    return ScriptCall(script, [word], [], lambda told: told)


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


def test_each_step_has_its_own_reply_or_its_own_error(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        wrong = echo(redis, "x", "return redis.call('INCR', 'a', 'b')")

        replies = call_all(redis, [echo(redis, "a"), wrong, echo(redis, "b")])

    assert replies[0] == b"a"
    assert isinstance(replies[1], ResponseError)
    assert replies[2] == b"b"


def test_a_word_that_is_no_text_fails_nobody_else(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.script_load(ECHO)

        replies = call_all(redis, [echo(redis, "a"), echo(redis, "\ud800"), echo(redis, "b")])

    assert replies == [b"a", "\ud800".encode(errors="surrogatepass"), b"b"]


def test_a_broken_connection_fails_all_alike_and_the_next_round_trip_works(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as server, Redis.from_url(server.url) as redis:
        line = BatchConnection(redis)
        asks = [echo(redis, "a"), echo(redis, "b")]
        assert line.call_all(asks) == [b"a", b"b"]

        server.kill()
        failed = line.call_all(asks)
        server.restart()

        assert [isinstance(reply, Broken) for reply in failed] == [True, True]
        assert line.call_all(asks) == [b"a", b"b"]
        line.close()


def test_a_round_trip_that_is_broken_off_leaves_no_reply_for_the_next(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        line = BatchConnection(redis)
        assert line.call_all([echo(redis, "a")]) == [b"a"]
        redis.client_pause(60_000, all=False)  # ms: it takes scripts, and answers later

        with pytest.raises(Interrupted), interrupted_after(0.1):
            line.call_all([echo(redis, "a"), echo(redis, "b")])
        redis.client_unpause()

        assert line.call_all([echo(redis, "c")]) == [b"c"]
        line.close()
