"""The background publisher with a fake broker."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from satyapan.broker import publisher as module
from satyapan.broker.publisher import Publisher
from satyapan.names import RUN, RUN_HIGH
from tests.support.eventually import eventually

Message = tuple[str, list[str]]


class Broker:
    """A fake broker: records messages, or blocks their publisher until `may_go` is set."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.inline: list[Message] = []
        self.opened = self.closed = 0
        self.confirms = True
        self.may_go = threading.Event()
        self.may_go.set()
        self.held = threading.Event()

    def connect(self) -> "Broker":
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def wake(self, task: str, ids: Sequence[str]) -> bool:
        self.held.set()
        self.may_go.wait(60)
        self.messages.append((task, list(ids)))
        return self.confirms

    def wake_inline(self, task: str, ids: Sequence[str]) -> bool:
        self.inline.append((task, list(ids)))
        return True

    def hold(self) -> None:
        self.may_go.clear()
        self.held.clear()


@pytest.fixture
def broker() -> Iterator[Broker]:
    fake = Broker()
    yield fake
    fake.may_go.set()


@pytest.fixture
def publisher(broker: Broker) -> Publisher:
    return Publisher(broker.connect, broker.wake_inline, chunk=3, patience_s=30.0)


def publish_while_busy(publisher: Publisher, broker: Broker, *ids: str, task: str = "run") -> None:
    """Publish ids while another message is under way, then let all of them go out."""
    broker.hold()
    publisher.publish("run", ["first"])
    assert broker.held.wait(60)
    for verification_id in ids:
        publisher.publish(task, [verification_id])
    broker.may_go.set()


def fork() -> None:
    """Fork a child that ends at once."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def test_an_id_is_published_at_once_while_nothing_else_is_under_way(
    publisher: Publisher, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GATHER_S", 120.0)

    publisher.publish("run", ["v-1"])

    eventually(lambda: broker.messages == [("run", ["v-1"])])


def test_ids_that_arrive_while_a_message_is_published_share_the_next_ones(
    publisher: Publisher, broker: Broker
) -> None:
    publish_while_busy(publisher, broker, "a", "b", "c", "d", "e")

    publisher.close()

    assert broker.messages == [("run", ["first"]), ("run", ["a", "b", "c"]), ("run", ["d", "e"])]
    assert broker.opened == 1


def test_each_task_has_its_own_messages(publisher: Publisher, broker: Broker) -> None:
    broker.hold()
    publisher.publish("run", ["first"])
    assert broker.held.wait(60)
    for number in range(4):
        publisher.publish(("run", "run_high")[number % 2], [f"v-{number}"])
    broker.may_go.set()

    publisher.close()

    assert sorted(broker.messages[1:]) == [("run", ["v-0", "v-2"]), ("run_high", ["v-1", "v-3"])]


def test_a_hanging_broker_blocks_no_caller_and_the_oldest_ids_are_dropped(
    publisher: Publisher,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_MOST", 4)

    publish_while_busy(publisher, broker, *"abcdefg")
    publisher.close()

    assert [each for _, ids in broker.messages[1:] for each in ids] == list("defg")
    assert [record.message for record in caplog.records] == [
        "too many wake-ups waited: the sweeper wakes the 3 oldest"
    ]


def test_after_a_failure_the_gathered_ids_are_dropped_and_later_ids_are_published(
    publisher: Publisher, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    publish_while_busy(publisher, broker)
    eventually(lambda: len(broker.messages) == 1)
    broker.confirms = False
    publish_while_busy(publisher, broker, *"abcdefg")
    eventually(lambda: "no wake-up sent for 4 more" in caplog.text)
    broker.confirms = True
    publisher.publish("run", ["later"])
    publisher.close()

    assert broker.messages[2:] == [("run", list("abc")), ("run", ["later"])]


def test_a_thread_that_failed_is_replaced(
    publisher: Publisher, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: raised.set())
    monkeypatch.setattr(broker, "messages", None)  # a programming error
    publisher.publish("run", ["v-1"])
    assert raised.wait(60)

    monkeypatch.setattr(broker, "messages", [])
    publisher.publish("run", ["v-2"])

    eventually(lambda: broker.messages == [("run", ["v-2"])])


def test_an_idle_thread_ends_and_the_next_id_starts_another(
    publisher: Publisher, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.01)
    publisher.publish("run", ["v-1"])
    eventually(lambda: broker.closed == 1)

    publisher.publish("run", ["v-2"])

    eventually(lambda: broker.messages == [("run", ["v-1"]), ("run", ["v-2"])])
    assert broker.opened == 2


def test_an_id_that_arrives_while_the_thread_starts_does_not_start_another(
    publisher: Publisher, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect() -> Broker:
        broker.opened += 1
        publisher.publish("run", ["inner"])  # as a signal handler would
        return broker

    monkeypatch.setattr(publisher._outbox(), "_connect", connect)
    publisher.publish("run", ["outer"])
    publisher.close()

    assert broker.opened == 1
    assert broker.messages == [("run", ["inner", "outer"])]


def test_ids_of_high_priority_are_published_first(publisher: Publisher, broker: Broker) -> None:
    publish_while_busy(publisher, broker, *"abcdefg")
    eventually(lambda: len(broker.messages) == 4)
    broker.hold()
    publisher.publish(RUN, ["first"])
    assert broker.held.wait(60)
    publisher.publish(RUN, list("abcd"))
    publisher.publish(RUN_HIGH, ["high"])
    broker.may_go.set()

    publisher.close()

    assert [ids for _, ids in broker.messages[5:]] == [["high"], ["a", "b", "c"], ["d"]]


def test_the_thread_of_a_dropped_publisher_ends_after_it_published_the_rest(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 600.0)
    publisher = Publisher(broker.connect, broker.wake_inline, chunk=3, patience_s=30.0)
    publish_while_busy(publisher, broker, "a", "b")

    del publisher

    eventually(lambda: broker.closed == 1)
    assert broker.messages[1:] == [("run", ["a", "b"])]


def test_a_fork_waits_once_for_all_hanging_publishers(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FORK_S", 0.5)
    broker.hold()
    publishers = [Publisher(broker.connect, broker.wake_inline, 3, 30.0) for _ in range(20)]
    for publisher in publishers:
        publisher.publish("run", ["v-1"])
    assert broker.held.wait(60)

    start = time.monotonic()
    fork()

    assert time.monotonic() - start < 0.5 * 10


def test_forks_during_the_creation_of_publishers_raise_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    done = threading.Event()

    def create() -> None:
        while not done.is_set():
            Publisher(broker.connect, broker.wake_inline, 3, 30.0).publish("run", ["v-1"])

    threads = [threading.Thread(target=create) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        fork()
    done.set()
    for thread in threads:
        thread.join()

    assert raised == []


def test_close_waits_for_a_bounded_time(broker: Broker) -> None:
    publisher = Publisher(broker.connect, broker.wake_inline, chunk=3, patience_s=0.2)
    broker.hold()
    publisher.publish("run", ["v-1"])

    start = time.monotonic()
    publisher.close()

    assert 0.2 <= time.monotonic() - start < 20


def test_after_close_ids_are_published_inline(publisher: Publisher, broker: Broker) -> None:
    publisher.close()

    publisher.publish("run", list("abcd"))

    assert (broker.messages, broker.inline) == ([], [("run", list("abc")), ("run", ["d"])])


def test_ids_are_published_inline_if_no_thread_can_be_started(
    publisher: Publisher, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        publisher.publish("run", ["v-1"])
    publisher.publish("run", ["v-2"])

    assert broker.inline == [("run", ["v-1"])]
    eventually(lambda: broker.messages == [("run", ["v-2"])])


@pytest.mark.parametrize(
    ("options", "worker", "inline"),
    [
        ({}, 1, True),
        ({b"http": b":8000"}, 1, True),
        ({"enable-threads": b"false"}, 1, True),
        ({"enable-threads": True}, 1, False),
        ({b"enable-threads": b"true"}, 2, False),
        ({b"threads": b"2"}, 1, False),
        ({b"threads": b"2"}, 0, True),
    ],
)
def test_in_a_uwsgi_master_or_without_threads_ids_are_published_inline(
    broker: Broker,
    options: dict[Any, Any],
    worker: int,
    inline: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uwsgi: Any = SimpleNamespace(opt=options, worker_id=lambda: worker)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    publisher = Publisher(broker.connect, broker.wake_inline, chunk=3, patience_s=30.0)

    publisher.publish("run", ["v-1"])
    publisher.close()

    assert (broker.inline if inline else broker.messages) == [("run", ["v-1"])]
    assert not (broker.messages if inline else broker.inline)


def test_ids_of_many_threads_are_each_published_once(
    publisher: Publisher, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    def publish_many(number: int) -> None:
        for index in range(200):
            publisher.publish("run", [f"v-{number}-{index}"])

    threads = [threading.Thread(target=publish_many, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.close()

    sent = [each for _, ids in broker.messages for each in ids]
    assert len(sent) == len(set(sent)) == 1600
    assert caplog.records == []
