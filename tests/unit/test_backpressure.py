"""A message is asked for when there is room for it, and at once when there is again."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.asynchronous.hub import Hub

from worker.engine.backpressure import backpressure
from worker.engine.room import Room


def started(room: Room, hub: Hub | None) -> Any:
    """Start the step; return the QoS that Celery asks before it asks for a message."""
    qos = SimpleNamespace(can_consume=lambda: True)
    consumer = SimpleNamespace(channel=SimpleNamespace(qos=qos))
    parent = SimpleNamespace(task_consumer=consumer, hub=hub)
    backpressure(room)(parent).start(parent)
    return qos


@pytest.mark.parametrize(("waiting", "may"), [(0, True), (1, True), (2, False), (50, False)])
def test_no_message_is_asked_for_without_room(waiting: int, may: bool) -> None:
    room = Room(2)
    room.take(waiting)

    assert started(room, None).can_consume() is may


def test_a_broker_that_gives_no_message_now_is_not_overruled() -> None:
    qos = started(Room(2), None)
    qos.can_consume()
    refusing = SimpleNamespace(can_consume=lambda: False)
    consumer = SimpleNamespace(channel=SimpleNamespace(qos=refusing))
    parent = SimpleNamespace(task_consumer=consumer, hub=None)
    backpressure(Room(2))(parent).start(parent)

    assert refusing.can_consume() is False


def test_room_is_announced_once_and_only_to_those_that_asked_in_vain() -> None:
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
def test_the_loop_waits_where_it_can_be_woken_although_no_message_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With nothing to read from, Kombu's loop sleeps for a tenth of a second and hears nothing."""
    hub, waits, room = Hub(), list[float](), Room(2)
    started(room, hub)
    poll = hub.poller.poll

    def noted(timeout: float) -> Any:
        waits.append(timeout)
        threading.Thread(target=room.on_room).start()
        return poll(timeout)

    monkeypatch.setattr(hub.poller, "poll", noted)
    hub.timer.call_repeatedly(60, lambda: None)
    turns = threading.Thread(target=lambda: [next(hub.loop) for _ in range(3)], daemon=True)

    turns.start()
    turns.join(20)

    assert not turns.is_alive()
    assert len(waits) == 3
    hub.close()
