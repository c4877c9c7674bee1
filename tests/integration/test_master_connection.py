"""Connections leave a server that is no longer the master: commands, scripts, listening, broker."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ExecAbortError, ReadOnlyError, ResponseError

from config.settings import read_settings
from demo.supervisor import Supervisor
from satyapan import State, Verifications
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.names import RUN, Keys
from satyapan.redis.connections import connect
from satyapan.redis.listener import Listener
from satyapan.redis.master_connection import MasterConnection
from satyapan.redis.script_calls import BatchConnection, ScriptCall
from satyapan.settings.producer import ProducerSettings
from tests.integration.test_transport import RESILIENT, marks, send, start_worker
from tests.support.eventually import eventually
from tests.support.failover import ReplicaPair, connect_to
from tests.support.outage import REQUEST
from tests.web.callbacks_app import environment


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[ReplicaPair]:
    with ReplicaPair(tmp_path) as pair:
        yield pair


@pytest.fixture
def frequent_role_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("satyapan.redis.master_connection.ROLE_S", 0.05)


@pytest.fixture
def no_role_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only refused writes show that a server is no longer the master."""
    monkeypatch.setattr("satyapan.redis.master_connection.ROLE_S", 600.0)


@pytest.fixture
def client(pair: ReplicaPair) -> Iterator[Redis]:
    with connect(settings(pair.url), "test") as client:
        client.set("master", "old")
        yield client


def settings(url: str) -> ProducerSettings:
    return read_settings(environment(url)).producer


def write_call(client: Redis, key: str) -> ScriptCall[Any]:
    return ScriptCall(client.register_script("return redis.call('INCR', KEYS[1])"), [key], [], int)


def read_call(client: Redis, key: str) -> ScriptCall[Any]:
    return ScriptCall(client.register_script("return redis.call('GET', KEYS[1])"), [key], [], bytes)


def test_after_a_refused_write_the_client_follows_to_the_new_master(
    no_role_checks: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()

    with pytest.raises(ReadOnlyError):
        client.set("master", "new")

    assert client.set("master", "new")
    with connect_to(pair.master) as master:
        assert master.get("master") == b"new"


def test_a_client_that_only_reads_follows_too(
    frequent_role_checks: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()
    with connect_to(pair.master) as master:
        master.set("master", "new")

    eventually(lambda: client.get("master") == b"new", within=5)


def test_a_client_whose_user_may_only_read_follows_too(
    frequent_role_checks: None, pair: ReplicaPair
) -> None:
    for server in (pair.master, pair.replica):
        with connect_to(server) as admin:
            admin.acl_setuser(
                "reader",
                enabled=True,
                passwords=["+secret"],
                keys=["*"],
                commands=["+get", "+client"],
            )
    url = pair.url.replace("redis://", "redis://reader:secret@")
    with connect(settings(url), "test") as client:
        assert client.get("master") is None
        pair.abandon()
        with connect_to(pair.master) as master:
            master.set("master", "new")

        eventually(lambda: client.get("master") == b"new", within=5)


def test_a_batch_connection_returns_the_replies_it_has_and_then_follows(
    no_role_checks: None, client: Redis, pair: ReplicaPair
) -> None:
    connection = BatchConnection(client)
    calls = [write_call(client, "n"), read_call(client, "master"), write_call(client, "n")]
    assert connection.call_all(calls) == [1, b"old", 2]
    pair.abandon()

    refused = connection.call_all(calls)

    assert [type(reply) for reply in refused] == [ReadOnlyError, bytes, ReadOnlyError]
    connection.call_all(calls)  # loads the scripts into the new master by another connection
    assert [type(reply) for reply in connection.call_all(calls)] == [int, bytes, int]
    connection.close()


def test_after_a_refused_transaction_the_client_follows_too(
    no_role_checks: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()

    with client.pipeline(transaction=True) as pipe:
        pipe.set("master", "new")
        with pytest.raises((ReadOnlyError, ExecAbortError)):
            pipe.execute()

    assert client.set("master", "new")


def test_the_client_leaves_a_master_that_lost_its_replicas(
    no_role_checks: None, client: Redis, pair: ReplicaPair
) -> None:
    with connect_to(pair.master) as old, connect_to(pair.replica) as new:
        new.replicaof("NO", "ONE")
        old.config_set("min-replicas-to-write", 1)
    pair.move()
    with connect_to(pair.replica) as old:
        eventually(lambda: not old.info("replication")["connected_slaves"])

    with pytest.raises(ResponseError, match="NOREPLICAS"):
        client.set("master", "new")

    assert client.set("master", "new")


def test_a_listener_follows(
    client: Redis, pair: ReplicaPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("satyapan.redis.listener.ROLE_S", 0.05)
    monkeypatch.setattr("satyapan.redis.listener._IDLE_ROUNDS", 1)
    listener = Listener(client)
    with listener.hearing("channel", "one"):
        pair.abandon()
        eventually(lambda: not listener.hears)

        with listener.hearing("channel", "one") as heard, connect_to(pair.master) as master:
            heard.clear()
            assert master.publish("channel", "one") == 1
            assert heard.wait(5)
    eventually(lambda: not listener.hears)  # before its connections are closed


def test_a_waiter_gets_the_final_state_that_only_the_new_master_has(pair: ReplicaPair) -> None:
    producer = Verifications(settings(pair.url))
    results: Any = producer._results
    one = producer.submit("passport", REQUEST, key="order-1").id
    with ThreadPoolExecutor(1) as threads, connect_to(pair.replica) as replica:
        waiting = threads.submit(producer.wait, one, 20)
        eventually(lambda: replica.exists(Keys().row(one)) and results._listener.hears)
        pair.abandon()
        replica.hset(Keys().row(one), "state", State.FAILED)

        assert waiting.result().state is State.FAILED


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://127.0.0.1:1/0", Connection),
        ("rediss://127.0.0.1:1/0", SSLConnection),
        ("unix:///nowhere.sock", UnixDomainSocketConnection),
    ],
)
def test_every_kind_of_connection_follows(url: str, kind: type[Any]) -> None:
    with connect(settings(url), "test") as client:
        assert issubclass(client.connection_pool.connection_class, kind)
        assert issubclass(client.connection_pool.connection_class, MasterConnection)


def test_kombu_itself_follows_for_wake_ups(pair: ReplicaPair) -> None:
    waker = Waker(wake_app(settings(pair.url)))
    assert waker.wake(RUN, ["one"])
    pair.abandon()

    assert not waker.wake(RUN, ["two"])
    assert waker.wake(RUN, ["three"])

    assert waker.queued(RUN) == 1 + 1  # the first came by replication


def test_celery_itself_follows_for_a_busy_consumer(
    pair: ReplicaPair, processes: Supervisor
) -> None:
    worker = start_worker(processes, pair, "threads", RESILIENT)
    send(pair, "running", seconds=3)
    eventually(lambda: "running" in marks(pair, "begun"))

    pair.abandon()
    send(pair, "after")

    eventually(lambda: "after" in marks(pair, "done"))
    assert worker.process.poll() is None
