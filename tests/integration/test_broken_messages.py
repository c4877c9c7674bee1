"""A worker drops broken messages from its queues and processes the valid ones."""

import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import redis

from satyapan import State
from satyapan.names import QUEUES, RUN_QUEUE
from tests.support.broken_messages import broken, envelope, queue_key, unacknowledged
from tests.support.eventually import eventually
from tests.support.installation import Installation, Services, gone

REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(tmp_path_factory.mktemp("broken")) as opened:
        yield opened


@pytest.fixture(scope="module")
def store(services: Services) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(services.stack.server.url) as client:
        yield client


@pytest.fixture
def install(services: Services) -> Iterator[Callable[..., Installation]]:
    made: list[Installation] = []

    def make(name: str, **env: str) -> Installation:
        made.append(Installation(services, name, SATYAPAN_LOG_FORMAT="json", **env))
        return made[-1]

    yield make
    for one in made:
        one.end()


def finish(installation: Installation, name: str) -> float:
    """Submit a verification and wait until it is done; return the seconds that took."""
    begun = time.monotonic()
    installation.producer.submit("passport", REQUEST, verification_id=name)
    eventually(lambda: is_done(installation, name), within=30)
    return time.monotonic() - begun


def is_done(installation: Installation, name: str) -> bool:
    found = installation.producer.get(name)
    return found is not None and found.state is State.DONE


def drops(log: Path) -> dict[str, int]:
    """Return the digests of the dropped messages in a log, with the size of each."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return {
        line["digest"]: line["size"] for line in lines if line["event"] == "broken message dropped"
    }


def expected(messages: list[bytes]) -> dict[str, int]:
    return {sha256(raw).hexdigest()[:16]: len(raw) for raw in messages}


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_that_starts_with_broken_messages_drops_them_and_works(
    install: Callable[..., Installation], store: redis.Redis, pool: str
) -> None:
    installed = install(f"queued-{pool}", SATYAPAN_WORKER_POOL=pool)
    messages = list(broken().values())
    for queue in QUEUES:
        store.lpush(queue_key(installed.name, queue), *messages)

    worker = installed.start_worker()
    finish(installed, f"valid-{pool}")
    eventually(lambda: drops(worker.log) == expected(messages), within=30)

    assert not gone(worker)
    assert [queue for queue in QUEUES if store.exists(queue_key(installed.name, queue))] == []


def test_broken_messages_that_a_dead_worker_left_are_dropped_not_requeued(
    install: Callable[..., Installation], store: redis.Redis
) -> None:
    installed, left = install("left"), unacknowledged()
    hash_key, index_key = (queue_key(installed.name, name) for name in ("unacked", "unacked_index"))
    for number, raw in enumerate(left.values()):
        store.hset(hash_key, f"tag-{number}", raw)
        store.zadd(index_key, {f"tag-{number}": 1})

    worker = installed.start_worker()
    finish(installed, "valid-left")
    eventually(lambda: not store.exists(hash_key, index_key), within=60)

    assert not gone(worker)
    assert drops(worker.log) == expected(list(left.values()))


def test_a_valid_message_that_a_dead_worker_left_is_requeued(
    install: Callable[..., Installation], store: redis.Redis
) -> None:
    installed = install("valid")
    one = installed.mute_producer().submit("passport", REQUEST, verification_id="valid-again")
    # Kombu would fail to decode this header, which our transport ignores.
    unread = {"x": {"__type__": "datetime", "__value__": "never"}}
    raw = json.dumps([envelope([one.id], headers=unread), "", RUN_QUEUE])
    store.hset(queue_key(installed.name, "unacked"), "a-tag", raw)
    store.zadd(queue_key(installed.name, "unacked_index"), {"a-tag": 1})

    worker = installed.start_worker()
    eventually(lambda: is_done(installed, one.id), within=30)
    eventually(lambda: not store.exists(queue_key(installed.name, "unacked")), within=30)

    assert drops(worker.log) == {}


def test_forged_ids_do_not_delay_valid_messages(
    install: Callable[..., Installation], store: redis.Redis
) -> None:
    installed = install("flood")
    installed.start_worker()
    finish(installed, "valid-before")
    huge = json.dumps(envelope([f"v-{n}" for n in range(200_000)])).encode()
    unknown = [f"v-never-heard-of-this-one-{n}" for n in range(1_000)]
    full = [json.dumps(envelope(unknown, tag=f"tag-{n}")).encode() for n in range(100)]
    key = queue_key(installed.name, RUN_QUEUE)
    store.lpush(key, *[huge] * 5, *full)

    took = finish(installed, "valid-after")

    # About 10 ms for each message before it; without a bound, a huge one takes about 10 s.
    assert took < 15
    # The sweeper may have been faster than the wake-up behind the flood.
    eventually(lambda: store.llen(key) == 0)
