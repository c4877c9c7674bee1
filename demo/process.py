"""One child process: in its own process group, with a log file, gone when its parent is gone.

Knows nothing of what runs in it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

TETHER = Path(__file__).with_name("tether.py")


class Process(Protocol):
    """What is asked of a child; subprocess.Popen is one."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Exit code, once it has been asked for after the end."""
        ...

    def poll(self) -> int | None:
        """Give the exit code; None while it lives."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; subprocess.TimeoutExpired if it doesn't come in time."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


class Spawn(Protocol):
    """How a command is started whose output is added to `log`."""

    def __call__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start it."""
        ...


def spawn(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command whose output is added to `log`.

    Ctrl-C on our terminal doesn't reach it (own session); our death does, on Linux. Call this from
    a thread that lives as long as the child should: for the kernel the starting thread is the
    parent.
    """
    tethered = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            tethered,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: Process, grace: float) -> int:
    """Ask a child to end, after `grace` seconds kill its group; return its exit code.

    Only the child itself gets SIGTERM: its own children are its own business (a Celery pool process
    that got the signal too would drop its task).
    """
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    return kill(process)


def kill(process: Process) -> int:
    """Kill a child with its whole group, at once; return its exit code."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, indented, to stand below an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (empty log)"
