"""Named points at which a test may break a process. Each is a no-op unless armed.

A fault that matters strikes between two steps: after the row is written and before the wake-up is
sent, after SENT and before the first byte. `reach` marks those places. Only `arm`, called by a
process's entry point, looks at the environment; an unarmed `reach` is one comparison.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

INSERTED: Final = "inserted"
"""Producer: the row is written, its wake-up not yet sent."""
POPPED: Final = "popped"
"""Worker: Redis has given the message away, nobody has noted that it is being worked on."""
DELIVERED: Final = "delivered"
"""Worker: a wake-up arrived, the row is not yet claimed."""
CLAIMED: Final = "claimed"
"""Worker: the row is claimed, the quota slot not yet taken and SENT not yet written."""
SENT: Final = "sent"
"""Worker: the quota slot is taken and SENT is durable, no byte of the call is sent."""
ANSWERED: Final = "answered"
"""Worker: the vendor's answer is in memory only."""
COMMITTED: Final = "committed"
"""Worker: the outcome is durable, the message not acknowledged."""
SWEPT: Final = "swept"
"""Sweeper: due ids are taken, their wake-ups not yet sent."""
OPENED: Final = "opened"
"""Worker: a stored webhook is read, nothing done about it."""
HINTED: Final = "hinted"
"""Worker: the row is told of the webhook, the webhook not yet marked as handled."""
STORED: Final = "stored"
"""Callbacks: the webhook is stored, its sender not yet answered."""

POINTS: Final = (
    INSERTED,
    POPPED,
    DELIVERED,
    CLAIMED,
    SENT,
    ANSWERED,
    COMMITTED,
    SWEPT,
    OPENED,
    HINTED,
    STORED,
)
VARIABLE: Final = "SATYAPAN_FAULT_POINT"
"""`point:action:file` arms a point. The file is made when it is reached, and disarms it: once.

Actions: `kill` this process, `kill-parent` (a pool's main process), `stop` it (SIGSTOP), or `hold`
it until the file is removed.
"""

_armed: dict[str, Callable[[], None]] = {}


def reach(point: str) -> None:
    """Mark that a point was reached; does nothing unless a test armed it."""
    strike = _armed.get(point) if _armed else None
    if strike is not None:
        strike()


def arm(env: Mapping[str, str]) -> None:
    """Arm the point that the environment names, if it names one.

    Raises:
        ValueError: it names no point, or no action, that there is.
    """
    if VARIABLE not in env:
        return
    point, action, place = env[VARIABLE].split(":", 2)
    if point not in POINTS or action not in _ACTIONS:
        raise ValueError(f"{VARIABLE}: choose one of {', '.join(POINTS)} and of {list(_ACTIONS)}")
    _armed[point] = lambda: _strike(point, _ACTIONS[action], Path(place))


def _strike(point: str, action: Callable[[Path], None], place: Path) -> None:
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        return
    _armed.pop(point, None)  # who is let go from a hold has removed the file
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
