"""The intake asks for a message when there is room for it, and is woken at once when there is."""

import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from kombu.asynchronous.hub import Hub

from worker.intake import intake
from worker.pump import Pump


@pytest.fixture
def pump() -> Any:
    return create_autospec(Pump, instance=True)


def started(pump: Any, hub: Hub | None) -> Any:
    """Start the step; return the QoS that Celery asks before it asks for a message."""
    qos = SimpleNamespace(can_consume=lambda: True)
    consumer = SimpleNamespace(channel=SimpleNamespace(qos=qos))
    parent = SimpleNamespace(task_consumer=consumer, hub=hub)
    intake(pump)(parent).start(parent)
    return qos


@pytest.mark.parametrize("room", [True, False])
def test_no_message_is_asked_for_without_room(pump: Any, room: bool) -> None:
    pump.has_room.return_value = room

    assert started(pump, None).can_consume() is room


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.enable_socket
def test_the_loop_waits_where_it_can_be_woken_although_no_message_is_asked_for(
    pump: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to read from, Kombu's loop sleeps for a tenth of a second and hears nothing."""
    hub, waits = Hub(), list[float]()
    started(pump, hub)
    poll = hub.poller.poll

    def noted(timeout: float) -> Any:
        waits.append(timeout)
        threading.Thread(target=pump.on_room).start()
        return poll(timeout)

    monkeypatch.setattr(hub.poller, "poll", noted)
    hub.timer.call_repeatedly(60, lambda: None)
    turns = threading.Thread(target=lambda: [next(hub.loop) for _ in range(3)], daemon=True)

    turns.start()
    turns.join(20)

    assert not turns.is_alive()
    assert len(waits) == 3
    hub.close()
