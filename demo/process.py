"""One child process: in its own process group, with a log file, killed when its parent dies.

Independent of what runs in it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PARENT_DEATH = Path(__file__).with_name("parent_death.py")


class Process(Protocol):
    """What a supervisor needs of a child; subprocess.Popen is one."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Exit code, once `poll` or `wait` has seen the end."""
        ...

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; subprocess.TimeoutExpired if it doesn't come in time."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM."""
        ...


class Spawn(Protocol):
    """Starts a command whose output is appended to `log`."""

    def __call__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start the command."""
        ...


def spawn(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command whose output is appended to `log`.

    Ctrl-C on our terminal doesn't reach it (own session). On Linux it is killed when the thread
    that starts it ends: call this from a thread that lives as long as the child should.
    """
    script = [sys.executable, "-I", "-S", str(PARENT_DEATH), "exec", str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*script, *command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: Process, grace: float) -> int:
    """Send SIGTERM to a child, after `grace` seconds kill its group; return its exit code.

    Only the child itself gets SIGTERM: a Celery pool process that got it too would drop its task.
    """
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    return kill(process)


def kill(process: Process) -> int:
    """Kill a child with its whole group; return its exit code."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, indented, to follow an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (empty log)"
