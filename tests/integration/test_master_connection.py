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
from tests.integration.test_transport import MENDED, marks, send, start_worker
from tests.support.eventually import eventually
from tests.support.failover import ReplicaPair, connect_to
from tests.support.outage import REQUEST
from tests.web.callbacks_app import environment


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[ReplicaPair]:
    with ReplicaPair(tmp_path) as pair:
        yield pair


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("satyapan.redis.master_connection.ROLE_S", 0.05)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let refused writes alone say that a server is no longer the master."""
    monkeypatch.setattr("satyapan.redis.master_connection.ROLE_S", 600.0)


@pytest.fixture
def client(pair: ReplicaPair) -> Iterator[Redis]:
    with connect(settings(pair.url), "test") as client:
        client.set("who", "old")
        yield client


def settings(url: str) -> ProducerSettings:
    return read_settings(environment(url)).producer


def writing(client: Redis, key: str) -> ScriptCall[Any]:
    return ScriptCall(client.register_script("return redis.call('INCR', KEYS[1])"), [key], [], int)


def reading(client: Redis, key: str) -> ScriptCall[Any]:
    return ScriptCall(client.register_script("return redis.call('GET', KEYS[1])"), [key], [], bytes)


def test_a_refused_write_is_the_last_on_that_server(
    never: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()

    with pytest.raises(ReadOnlyError):
        client.set("who", "new")

    assert client.set("who", "new")
    with connect_to(pair.master) as master:
        assert master.get("who") == b"new"


def test_a_client_that_only_reads_follows_too(
    often: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()
    with connect_to(pair.master) as master:
        master.set("who", "new")

    eventually(lambda: client.get("who") == b"new", within=5)


def test_a_user_who_may_do_nothing_else_follows_too(often: None, pair: ReplicaPair) -> None:
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
        assert client.get("who") is None
        pair.abandon()
        with connect_to(pair.master) as master:
            master.set("who", "new")

        eventually(lambda: client.get("who") == b"new", within=5)


def test_a_line_keeps_the_replies_it_has_and_then_leaves(
    never: None, client: Redis, pair: ReplicaPair
) -> None:
    line = BatchConnection(client)
    both = [writing(client, "n"), reading(client, "who"), writing(client, "n")]
    assert line.call_all(both) == [1, b"old", 2]
    pair.abandon()

    refused = line.call_all(both)

    assert [type(reply) for reply in refused] == [ReadOnlyError, bytes, ReadOnlyError]
    line.call_all(both)  # scripts that the new master doesn't know go by another connection
    assert [type(reply) for reply in line.call_all(both)] == [int, bytes, int]
    line.close()


def test_a_transaction_that_is_refused_leaves_too(
    never: None, client: Redis, pair: ReplicaPair
) -> None:
    pair.abandon()

    with client.pipeline(transaction=True) as pipe:
        pipe.set("who", "new")
        with pytest.raises((ReadOnlyError, ExecAbortError)):
            pipe.execute()

    assert client.set("who", "new")


def test_a_master_without_its_replicas_is_left(
    never: None, client: Redis, pair: ReplicaPair
) -> None:
    with connect_to(pair.master) as old, connect_to(pair.replica) as new:
        new.replicaof("NO", "ONE")
        old.config_set("min-replicas-to-write", 1)
    pair.move()
    with connect_to(pair.replica) as old:
        eventually(lambda: not old.info("replication")["connected_slaves"])

    with pytest.raises(ResponseError, match="NOREPLICAS"):
        client.set("who", "new")

    assert client.set("who", "new")


def test_who_listens_follows(
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


def test_who_waits_gets_the_end_that_only_the_new_master_knows(pair: ReplicaPair) -> None:
    producer = Verifications(settings(pair.url))
    hearing: Any = producer._results
    one = producer.submit("passport", REQUEST, key="order-1").id
    with ThreadPoolExecutor(1) as threads, connect_to(pair.replica) as replica:
        waiting = threads.submit(producer.wait, one, 20)
        eventually(lambda: replica.exists(Keys().row(one)) and hearing._listener.hears)
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


def test_wake_ups_follow_by_kombus_own_means(pair: ReplicaPair) -> None:
    waker = Waker(wake_app(settings(pair.url)))
    assert waker.wake(RUN, ["one"])
    pair.abandon()

    assert not waker.wake(RUN, ["two"])
    assert waker.wake(RUN, ["three"])

    assert waker.queued(RUN) == 1 + 1  # the first came by replication


def test_a_consumer_that_was_busy_follows_by_celerys_own_means(
    pair: ReplicaPair, processes: Supervisor
) -> None:
    worker = start_worker(processes, pair, "threads", MENDED)
    send(pair, "running", seconds=3)
    eventually(lambda: "running" in marks(pair, "begun"))

    pair.abandon()
    send(pair, "after")

    eventually(lambda: "after" in marks(pair, "done"))
    assert worker.process.poll() is None
