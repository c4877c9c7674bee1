"""The client while its server fails: it says so within its time-outs, and a repeat is safe."""

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


def found(verifications: Verifications, row_id: str) -> bool:
    """Tell whether a row is there; a server that is still waking up is no answer."""
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


def test_while_the_server_is_dead_it_is_unavailable_and_then_the_same_submit_works(
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


def test_a_server_that_hangs_is_unavailable_and_a_late_insert_is_found(
    own_server: EmbeddedServer,
) -> None:
    verifications = connect(own_server.url)
    verifications.submit("passport", PERSON, key="warm")
    os.kill(own_server.pid, signal.SIGSTOP)

    with pytest.raises(Unavailable, match="order-17"):
        verifications.submit("passport", PERSON, verification_id="order-17")
    os.kill(own_server.pid, signal.SIGCONT)

    eventually(lambda: found(verifications, "order-17"))  # it had been on its way
    assert verifications.submit("passport", PERSON, verification_id="order-17").id == "order-17"
    assert verifications.counts()[State.ACCEPTED] == 2


class DeafProxy:
    """Passes everything on to a server, until it is told to swallow the next reply and hang up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._swallow = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow_next_reply(self) -> None:
        self._swallow.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                for pair in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, replies: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65_536):
                if replies and self._swallow.is_set():
                    self._swallow.clear()
                    break
                target.sendall(data)
            source.shutdown(socket.SHUT_RDWR)
            target.shutdown(socket.SHUT_RDWR)


def test_an_insert_whose_reply_was_lost_is_stored_once_and_the_repeat_finds_it(
    store: "redis.Redis", redis_url: str
) -> None:
    with closing(DeafProxy(int(redis_url.rpartition(":")[2].partition("/")[0]))) as proxy:
        verifications = connect(proxy.url)
        verifications.submit("passport", PERSON, key="warm")  # the script is known to the server
        eventually(lambda: wake_ups(store) == 1)
        proxy.swallow_next_reply()

        with pytest.raises(Unavailable, match="order-17"):
            verifications.submit("passport", PERSON, verification_id="order-17")
        lost = store.hgetall(KEYS.row("order-17"))
        again = verifications.submit("passport", PERSON, verification_id="order-17")

    assert lost
    assert again.id == "order-17"
    assert store.hgetall(KEYS.row("order-17")) == lost
    assert wake_ups(store) == 1  # of the first; the sweeper wakes the other when it is due
    assert store.zscore(KEYS.due, "order-17")


# ---- events, as only a server can break them ----


def tell(store: "redis.Redis", *row_ids: str) -> None:
    for row_id in row_ids:
        row = Row(id=row_id, kind="passport", state=State.DONE, seq=1)
        store.xadd(KEYS.events("default"), {"event": write_event(row, "done", 1)})


def test_what_a_dead_reader_left_goes_to_another_when_it_is_stale(
    store: "redis.Redis", redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifications = connect(redis_url)
    tell(store, "order-1", "order-2", "order-3")
    next(verifications.events("billing", reader="dead"))

    early = list(verifications.events("billing", reader="alive"))
    monkeypatch.setattr(results, "_STALE_MS", 1)
    late = [event.verification_id for event in verifications.events("billing", reader="alive")]

    assert early == []
    assert late == ["order-1", "order-2", "order-3"]
    left: Any = store.xpending(KEYS.events("default"), "billing")
    assert left["pending"] == 0


def test_watching_goes_on_for_ever(store: "redis.Redis", redis_url: str) -> None:
    watched = connect(redis_url).watch("billing", block=0.05)

    for number in range(3):
        tell(store, f"order-{number}")
        assert next(watched).verification_id == f"order-{number}"


def test_an_event_of_a_newer_version_holds_nobody_up(redis_url: str, store: "redis.Redis") -> None:
    for n in range(60):
        event = write_event(Row(id=f"v{n}", kind="passport", seq=1), "done", 1)
        newer = event.replace(b'"ACCEPTED"', b'"SOMETHING_NEW"') if n == 3 else event
        store.xadd(KEYS.events("default"), {"event": newer})

    seen = [event.verification_id for event in connect(redis_url).events("g", block=0)]

    assert len(seen) == 59
    assert "v3" not in seen


def test_all_that_a_reader_had_before_it_died_comes_back(
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
