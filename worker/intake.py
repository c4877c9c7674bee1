"""The intake: takes a message from the queue only while the pump has room for what it brings.

Celery counts messages; one of ours may bring fifty ids. Without this a worker would take as many
messages as it has threads, sit on thousands of ids, and hand most of them back.

Knows Celery's consumer; knows nothing of verifications.
"""

import os
from functools import cache
from typing import Any

from celery import bootsteps

from worker.pump import Pump


def intake(pump: Pump) -> type[bootsteps.StartStopStep]:
    """Make the consumer's step for this process's pump."""

    class Intake(bootsteps.StartStopStep):
        """Started again with each connection, as the channel and its QoS are."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:  # noqa: ANN401  Celery's consumer
            """Ask the pump before the broker, and ask again once the pump has room."""
            qos, hub = parent.task_consumer.channel.qos, parent.hub
            may_consume = qos.can_consume
            qos.can_consume = lambda: pump.has_room() and may_consume()
            if hub is not None:  # without an event loop Celery asks again by itself
                hub.add_reader(_silent_file(), _look_again)
                pump.on_room = lambda: hub.call_soon(_look_again)

    return Intake


@cache
def _silent_file() -> int:
    """Open, once in a process, a file that never has anything to read.

    While no message is asked for, Kombu's event loop has nothing to read from. Then it sleeps for
    0.1 s at a time and can't be woken, and a worker takes ten messages a second.
    """
    reader, _writer = os.pipe()  # kept open: a closed writer would end the file
    return reader


def _look_again() -> None:
    """Do nothing: that the loop turns is enough, it looks at the QoS at each turn."""
