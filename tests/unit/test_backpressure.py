"""Backpressure: the worker asks the broker for messages only while it has room for them."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.asynchronous.hub import Hub

from worker.engine.backpressure import backpressure
from worker.engine.room import Room


def start_backpressure(room: Room, hub: Hub | None) -> Any:
    """Start the step; return the QoS that Celery consults before it asks for a message."""
    qos = SimpleNamespace(can_consume=lambda: True)
    consumer = SimpleNamespace(channel=SimpleNamespace(qos=qos))
    parent = SimpleNamespace(task_consumer=consumer, hub=hub)
    backpressure(room)(parent).start(parent)
    return qos


@pytest.mark.parametrize(("waiting", "expected"), [(0, True), (1, True), (2, False), (50, False)])
def test_messages_are_asked_for_only_while_there_is_room(waiting: int, expected: bool) -> None:
    room = Room(2)
    room.take(waiting)

    assert start_backpressure(room, None).can_consume() is expected


def test_a_qos_that_refuses_messages_is_respected_although_there_is_room() -> None:
    qos = start_backpressure(Room(2), None)
    qos.can_consume()
    refusing = SimpleNamespace(can_consume=lambda: False)
    consumer = SimpleNamespace(channel=SimpleNamespace(qos=refusing))
    parent = SimpleNamespace(task_consumer=consumer, hub=None)
    backpressure(Room(2))(parent).start(parent)

    assert refusing.can_consume() is False


def test_room_is_announced_once_and_only_after_a_check_found_none() -> None:
    announced: list[bool] = []
    room = Room(2)
    room.on_room = lambda: announced.append(room.there_is())
    room.take(4)
    room.free(3)
    room.take(3)

    assert announced == []
    assert not room.there_is()
    room.free(1)
    assert announced == []
    room.free(2)
    room.free(1)
    assert announced == [True]


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.enable_socket
def test_the_hub_still_polls_and_can_be_woken_while_no_message_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With nothing to poll, Kombu's loop would sleep for 0.1 s and miss the wake-up."""
    hub, timeouts, room = Hub(), list[float](), Room(2)
    start_backpressure(room, hub)
    poll = hub.poller.poll

    def recorded_poll(timeout: float) -> Any:
        timeouts.append(timeout)
        threading.Thread(target=room.on_room).start()
        return poll(timeout)

    monkeypatch.setattr(hub.poller, "poll", recorded_poll)
    hub.timer.call_repeatedly(60, lambda: None)
    loop_thread = threading.Thread(target=lambda: [next(hub.loop) for _ in range(3)], daemon=True)

    loop_thread.start()
    loop_thread.join(20)

    assert not loop_thread.is_alive()
    assert len(timeouts) == 3
    hub.close()
