"""All waiters of a process share one connection, and they survive its loss."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.server import EmbeddedServer
from satyapan import State, Verification
from satyapan.redis.listener import Listener
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness

MANY = 100


def listeners(client: "redis.Redis") -> list[Any]:
    found: Any = client.client_list(_type="pubsub")
    return list(found)


def test_a_hundred_waiters_use_one_connection_and_all_are_notified(
    harness: Harness, redis_url: str
) -> None:
    ids = [harness.submit("passport", f"k{n}") for n in range(MANY)]
    with redis.Redis.from_url(redis_url) as client, ThreadPoolExecutor(MANY) as pool:
        waits = [pool.submit(harness.verifications.wait, one, 90) for one in ids]
        eventually(lambda: len(listeners(client)) == 1)
        for one in ids:
            harness.parts.engine.run(one)
        ended = [wait.result() for wait in waits]
        connections = listeners(client)

    assert {one.state for one in ended} <= {State.DONE, State.PARKED}
    assert len(connections) == 1


def test_a_waiter_survives_the_loss_of_its_connection(harness: Harness, redis_url: str) -> None:
    row_id = harness.submit("passport")
    ended: list[Verification] = []
    waiter = threading.Thread(
        target=lambda: ended.append(harness.verifications.wait(row_id, 60)), daemon=True
    )
    waiter.start()
    with redis.Redis.from_url(redis_url) as client:
        eventually(lambda: listeners(client))
        client.client_kill_filter(_type="pubsub")
        harness.parts.engine.run(row_id)
        waiter.join(60)

    assert [one.state for one in ended] == [State.DONE]


def test_without_waiters_no_connection_is_held(harness: Harness, redis_url: str) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)
    harness.verifications.wait(row_id)

    with redis.Redis.from_url(redis_url) as client:
        eventually(lambda: not listeners(client), within=60)


def test_a_failed_subscription_does_not_affect_later_ones(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        client = redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0))
        listener = Listener(client)
        server.stop()
        with pytest.raises(redis.RedisError), listener.hearing("channel", "v-1"):
            pass
        server.restart()

        with listener.hearing("channel", "v-1") as heard:
            eventually(lambda: client.publish("channel", "v-1"))

            assert heard.wait(20)
