"""While its server fails, the client raises within its timeouts, and a repeat is safe."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.server import EmbeddedServer
from satyapan import State, Unavailable, Verifications
from satyapan.events import write_event
from satyapan.ledger import results
from satyapan.names import Keys
from satyapan.records import Row
from tests.support.eventually import eventually
from tests.support.worker_harness import environment

READ_S = 3.0
PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
KEYS = Keys()


def connect(url: str) -> Verifications:
    short = {"SATYAPAN_REDIS_READ_TIMEOUT_S": str(READ_S)}
    return Verifications.from_env(environment(url, "", **short))


def is_stored(verifications: Verifications, row_id: str) -> bool:
    """Return True if the row exists, and False also while the server is unavailable."""
    with suppress(Unavailable):
        return verifications.get(row_id) is not None
    return False


@pytest.fixture
def store(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def wake_ups(store: "redis.Redis") -> int:
    waiting: Any = store.llen("satyapan:broker:satyapan.run")
    return int(waiting)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "redis") as server:
        yield server


def test_calls_are_unavailable_while_the_server_is_dead_and_work_after_its_restart(
    own_server: EmbeddedServer,
) -> None:
    verifications = connect(own_server.url)
    one = verifications.submit("passport", PERSON, key="a")
    own_server.kill()

    for call in (
        lambda: verifications.submit("passport", PERSON, key="b"),
        lambda: verifications.get(one.id),
        lambda: verifications.wait(one.id),
        lambda: next(verifications.watch("billing")),
        verifications.counts,
    ):
        with pytest.raises(Unavailable):
            call()

    own_server.restart()
    assert verifications.submit("passport", PERSON, key="b").state is State.ACCEPTED
    assert verifications.counts()[State.ACCEPTED] >= 1


def test_a_hanging_server_is_unavailable_and_a_repeat_finds_the_late_insert(
    own_server: EmbeddedServer,
) -> None:
    verifications = connect(own_server.url)
    verifications.submit("passport", PERSON, key="warm")
    os.kill(own_server.pid, signal.SIGSTOP)

    with pytest.raises(Unavailable, match="order-17"):
        verifications.submit("passport", PERSON, verification_id="order-17")
    os.kill(own_server.pid, signal.SIGCONT)

    eventually(lambda: is_stored(verifications, "order-17"))  # the server had received it
    assert verifications.submit("passport", PERSON, verification_id="order-17").id == "order-17"
    assert verifications.counts()[State.ACCEPTED] == 2


class ReplyDroppingProxy:
    """Forwards to a server; on request it drops the next reply and closes the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._drop_next = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def drop_next_reply(self) -> None:
        self._drop_next.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                for pair in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, replies: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65_536):
                if replies and self._drop_next.is_set():
                    self._drop_next.clear()
                    break
                target.sendall(data)
            source.shutdown(socket.SHUT_RDWR)
            target.shutdown(socket.SHUT_RDWR)


def test_an_insert_whose_reply_was_lost_is_stored_once_and_the_repeat_finds_it(
    store: "redis.Redis", redis_url: str
) -> None:
    with closing(ReplyDroppingProxy(int(redis_url.rpartition(":")[2].partition("/")[0]))) as proxy:
        verifications = connect(proxy.url)
        verifications.submit("passport", PERSON, key="warm")  # loads the script into the server
        eventually(lambda: wake_ups(store) == 1)
        proxy.drop_next_reply()

        with pytest.raises(Unavailable, match="order-17"):
            verifications.submit("passport", PERSON, verification_id="order-17")
        stored = store.hgetall(KEYS.row("order-17"))
        again = verifications.submit("passport", PERSON, verification_id="order-17")

    assert stored
    assert again.id == "order-17"
    assert store.hgetall(KEYS.row("order-17")) == stored
    # This wake-up is of the first submit; the sweeper wakes the other row when it is due.
    assert wake_ups(store) == 1
    assert store.zscore(KEYS.due, "order-17")


# ---- faults of event streams ----


def add_events(store: "redis.Redis", *row_ids: str) -> None:
    for row_id in row_ids:
        row = Row(id=row_id, kind="passport", state=State.DONE, seq=1)
        store.xadd(KEYS.events("default"), {"event": write_event(row, "done", 1)})


def test_another_reader_gets_a_dead_readers_events_once_they_are_stale(
    store: "redis.Redis", redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifications = connect(redis_url)
    add_events(store, "order-1", "order-2", "order-3")
    next(verifications.events("billing", reader="dead"))

    early = list(verifications.events("billing", reader="alive"))
    monkeypatch.setattr(results, "_STALE_MS", 1)
    late = [event.verification_id for event in verifications.events("billing", reader="alive")]

    assert early == []
    assert late == ["order-1", "order-2", "order-3"]
    left: Any = store.xpending(KEYS.events("default"), "billing")
    assert left["pending"] == 0


def test_watch_continues_after_each_event(store: "redis.Redis", redis_url: str) -> None:
    watched = connect(redis_url).watch("billing", block=0.05)

    for number in range(3):
        add_events(store, f"order-{number}")
        assert next(watched).verification_id == f"order-{number}"


def test_an_event_of_a_newer_version_is_skipped(redis_url: str, store: "redis.Redis") -> None:
    for n in range(60):
        event = write_event(Row(id=f"v{n}", kind="passport", seq=1), "done", 1)
        newer = event.replace(b'"ACCEPTED"', b'"SOMETHING_NEW"') if n == 3 else event
        store.xadd(KEYS.events("default"), {"event": newer})

    seen = [event.verification_id for event in connect(redis_url).events("g", block=0)]

    assert len(seen) == 59
    assert "v3" not in seen


def test_a_restarted_reader_gets_all_its_unacknowledged_events_again(
    redis_url: str, store: "redis.Redis"
) -> None:
    stream = KEYS.events("default")
    for n in range(120):
        event = write_event(Row(id=f"v{n}", kind="passport", seq=1), "done", 1)
        store.xadd(stream, {"event": event})
    store.xgroup_create(stream, "g", id="0")
    store.xreadgroup("g", "r", {stream: ">"}, count=120)

    seen = [e.verification_id for e in connect(redis_url).events("g", reader="r", block=0)]

    assert seen == [f"v{n}" for n in range(120)]


def test_a_wait_for_events_may_be_longer_than_the_read_timeout(redis_url: str) -> None:
    assert list(connect(redis_url).events("g", block=READ_S + 0.5)) == []
