"""Failpoints: named places at which a test may break a process. Each does nothing unless enabled.

The faults that matter happen between two steps: after the row is written and before the wake-up is
sent, after SENT and before the first byte. `failpoint` marks those places. Only `enable`, which a
process's entry point calls, reads the environment; a failpoint that isn't enabled costs one
comparison.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final


class Failpoint(StrEnum):
    """A place, by what has happened there and what has not."""

    INSERTED = "inserted"
    """Producer: the row is written, its wake-up not yet sent."""
    POPPED = "popped"
    """Worker: the message left its queue in Redis, and is not yet recorded as unacknowledged."""
    DELIVERED = "delivered"
    """Worker: a wake-up arrived, the row is not yet claimed."""
    CLAIMED = "claimed"
    """Worker: the row is claimed, the quota slot not yet taken and SENT not yet written."""
    SENT = "sent"
    """Worker: the quota slot is taken and SENT is durable, no byte of the call is sent."""
    ANSWERED = "answered"
    """Worker: the vendor's answer is in memory only."""
    COMMITTED = "committed"
    """Worker: the outcome is durable, the message not acknowledged."""
    SWEPT = "swept"
    """Sweeper: due ids are taken, their wake-ups not yet sent."""
    OPENED = "opened"
    """Worker: a stored webhook is read, nothing done about it."""
    HINTED = "hinted"
    """Worker: the row has the webhook's hint, the webhook is not yet marked as handled."""
    STORED = "stored"
    """Callbacks: the webhook is stored, its sender not yet answered."""


VARIABLE: Final = "SATYAPAN_FAILPOINT"
"""`name:action:file` enables a failpoint. Reaching it creates the file; it then acts no more.

Actions: `kill` this process, `kill-parent` (a pool's main process), `stop` it (SIGSTOP), or `hold`
it until the file is removed.
"""

_enabled: dict[str, Callable[[], None]] = {}


def failpoint(name: str) -> None:
    """Mark a place by its name; do nothing unless a test enabled it."""
    act = _enabled.get(name) if _enabled else None
    if act is not None:
        act()


def enable(env: Mapping[str, str]) -> None:
    """Enable the failpoint that the environment names, if it names one.

    Raises:
        ValueError: the environment names an unknown failpoint or action.
    """
    if VARIABLE not in env:
        return
    name, action, place = env[VARIABLE].split(":", 2)
    if name not in set(Failpoint) or action not in _ACTIONS:
        raise ValueError(
            f"{VARIABLE}: choose one of {', '.join(Failpoint)} and of {list(_ACTIONS)}"
        )
    _enabled[name] = lambda: _act(name, _ACTIONS[action], Path(place))


def _act(name: str, action: Callable[[Path], None], place: Path) -> None:
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        return
    _enabled.pop(name, None)  # the test removes the file to end a hold
    action(place)


def _hold(place: Path) -> None:
    while place.exists():
        time.sleep(0.01)


_ACTIONS: Final[Mapping[str, Callable[[Path], None]]] = {
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "kill-parent": lambda _: os.kill(os.getppid(), signal.SIGKILL),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "hold": _hold,
}
