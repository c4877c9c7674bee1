"""Backpressure: take a message from the broker only while there is room for its ids.

Celery counts messages; one of ours may bring fifty ids. Without this a worker would take as many
messages as it has threads, hold thousands of ids, and hand most of them back.

Knows Celery's consumer; knows nothing of verifications.
"""

import os
from functools import cache
from typing import Any

from celery import bootsteps

from worker.engine.room import Room


def backpressure(room: Room) -> type[bootsteps.StartStopStep]:
    """Make the step of Celery's consumer that asks for messages only while there is room."""

    class Backpressure(bootsteps.StartStopStep):
        """Started again with each connection, as the channel and its QoS are."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:  # noqa: ANN401  Celery's consumer
            """Ask for room before the broker is asked, and again once there is room."""
            qos, hub = parent.task_consumer.channel.qos, parent.hub
            may_consume = qos.can_consume
            qos.can_consume = lambda: room.there_is() and may_consume()
            if hub is not None:  # without an event loop Celery polls by itself
                hub.add_reader(_silent_file(), _poll_again)
                room.on_room = lambda: hub.call_soon(_poll_again)

    return Backpressure


@cache
def _silent_file() -> int:
    """Open, once in a process, a file that never has anything to read.

    While no message is asked for, Kombu's event loop has nothing to read from. Then it sleeps for
    0.1 s at a time and can't be woken, and a worker takes ten messages a second.
    """
    reader, _writer = os.pipe()  # kept open: a closed writer would end the file
    return reader


def _poll_again() -> None:
    """Do nothing: the loop only has to turn, because it checks the QoS at each turn."""
