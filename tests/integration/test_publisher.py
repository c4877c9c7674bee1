"""Wake-ups of real producers: with threads, forks, exits and a broker that hangs."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from satyapan import State, Verifications
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness, environment

PASSPORT = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


@pytest.fixture
def store(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A broker that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def messages(store: "redis.Redis", queue: str = "run") -> list[list[str]]:
    """Return the ids of each message that waits for a worker."""
    found: Any = store.lrange(f"satyapan:broker:satyapan.{queue}", 0, -1)
    bodies = (json.loads(message)["body"] for message in found)
    return [json.loads(base64.b64decode(body))[0][0] for body in bodies]


def produce(redis_url: str, how: str, count: int, **more: str) -> int:
    """Run a producer to its end; return its exit code."""
    command = [sys.executable, "-m", "tests.support.publishing_producer", how, str(count)]
    env = {**os.environ, **environment(redis_url, "http://127.0.0.1:1", **more)}
    return subprocess.run(command, env=env, timeout=120, check=False).returncode


def test_a_single_submit_is_published_at_once(redis_url: str, store: "redis.Redis") -> None:
    producer = Verifications.from_env(environment(redis_url, ""))
    one = producer.submit("passport", PASSPORT, key="a", priority="high")

    eventually(lambda: messages(store, "high") == [[one.id]])


def test_submits_of_many_threads_share_messages(redis_url: str, store: "redis.Redis") -> None:
    with (
        Verifications.from_env(environment(redis_url, "", SATYAPAN_CHUNK="20")) as producer,
        ThreadPoolExecutor(16) as pool,
    ):
        made = list(
            pool.map(lambda n: producer.submit("passport", PASSPORT, key=str(n)).id, range(400))
        )

    sent = messages(store)
    assert sorted(one for ids in sent for one in ids) == sorted(made)
    assert len(sent) < 300
    assert max(map(len, sent)) <= 20


def test_a_fork_publishes_its_own_wake_ups_and_none_twice(
    redis_url: str, store: "redis.Redis"
) -> None:
    assert produce(redis_url, "fork", 40) == 0

    sent = [one for ids in messages(store) for one in ids]
    rows: Any = store.zrange("satyapan:due", 0, -1)
    assert len(sent) == len(set(sent))
    assert {f"child-{number}" for number in range(40)} < set(sent)
    assert sorted(sent) == sorted(row.decode() for row in rows)


@pytest.mark.parametrize(("how", "count"), [("exit", 5), ("late", 1)])
def test_a_process_that_exits_publishes_its_waiting_wake_ups(
    redis_url: str, store: "redis.Redis", how: str, count: int
) -> None:
    assert produce(redis_url, how, count) == 0

    sent = [one for ids in messages(store) for one in ids]
    assert sorted(sent) == [f"{how}-{number}" for number in range(count)]


def test_a_process_killed_before_publishing_loses_nothing(
    harness: Harness, redis_url: str, store: "redis.Redis", black_hole: str
) -> None:
    killed = produce(redis_url, "kill", 3, SATYAPAN_BROKER_URL=black_hole)
    assert killed == -signal.SIGKILL
    assert messages(store) == []

    def woken() -> set[str]:
        harness.sweep()
        return {one for _, ids in harness.woken for one in ids}

    ids = {f"kill-{number}" for number in range(3)}
    eventually(lambda: woken() >= ids)
    assert {harness.settle(one).state for one in ids} <= {State.DONE, State.PARKED}


def test_a_hanging_broker_delays_no_submit_and_close_is_bounded(
    redis_url: str, store: "redis.Redis", black_hole: str
) -> None:
    timeouts = {"SATYAPAN_REDIS_CONNECT_TIMEOUT_S": "4", "SATYAPAN_REDIS_READ_TIMEOUT_S": "4"}
    env = environment(redis_url, "", SATYAPAN_BROKER_URL=black_hole, **timeouts)
    producer = Verifications.from_env(env)
    start = time.monotonic()
    found = [producer.submit("passport", PASSPORT, key=str(n)) for n in range(20)]
    items = [{"request": PASSPORT, "key": f"bulk-{n}"} for n in range(300)]
    found += [
        one for one in producer.submit_many("passport", items) if not isinstance(one, Exception)
    ]
    submitted = time.monotonic()
    producer.close()
    closed = time.monotonic()

    assert store.zcard("satyapan:due") == len(found) == 320
    assert submitted - start < 4
    assert closed - submitted < 8 + 4


def test_a_bulk_that_publishes_inline_tries_an_absent_broker_once(
    redis_url: str, store: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    env = environment(redis_url, "", SATYAPAN_BROKER_URL="redis://127.0.0.1:1/0")
    producer = Verifications.from_env(env)
    producer.close()

    producer.submit_many("passport", [{"request": PASSPORT, "key": f"b-{n}"} for n in range(450)])

    assert store.zcard("satyapan:due") == 450
    tried = [each for each in caplog.messages if each.startswith("no wake-up sent (")]
    assert len(tried) == 1
