"""A small supervisor for local runs: starts children in order, stops them in reverse order.

Independent of what its children do; it reads their exit codes and their logs.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from demo.process import PARENT_DEATH, Process, Spawn, end, kill, spawn, tail

POLL = 0.05  # seconds between checks of a child

Ready = str | Callable[[], bool] | None


class ChildFailed(Exception):
    """A child ended by itself or didn't get ready; the text has its name and the end of its log.

    `killed`: a signal ended it, so that another start may well succeed.
    """

    def __init__(self, text: str, *, killed: bool = False) -> None:
        self.killed = killed
        super().__init__(text)


@dataclass(frozen=True)
class Child:
    """A started child; `ready` is the match of its ready pattern, if it had one."""

    name: str
    process: Process
    log: Path
    ready: re.Match[str] | None = None

    @property
    def pid(self) -> int:
        """Process id, and id of its process group."""
        return self.process.pid


class Supervisor:
    """Context manager that owns children: the last started is the first to be stopped.

    Inside the block SIGTERM and SIGHUP end the program as Ctrl-C does, through every `finally`. If
    the supervisor itself is killed, its children are killed too, with their process groups.
    """

    def __init__(self, logs: Path, *, grace: float = 15.0, spawn: Spawn = spawn) -> None:
        self._logs = logs
        self._spawn = spawn
        self._grace = grace
        self._children: dict[str, Child] = {}
        self._resources = ExitStack()
        self._watchdog: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._watchdog = self._resources.enter_context(_start_watchdog())
        self._resources.enter_context(_signals_as_exit())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._resources:
            self.stop()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        ready: Ready = None,
        timeout: float = 20.0,
    ) -> Child:
        """Start a child, return once it is ready; ChildFailed if it ends first or takes too long.

        `ready` is a pattern that the child's output must match (its groups carry what the child
        reports, such as its port), or a function that is called until it returns True. `env`
        replaces the environment. The output goes to `<name>.log`.
        """
        if name in self._children:
            raise ValueError(f"{name} was started already: call end() or kill() first")
        log = self._logs / f"{name}.log"
        begin = log.stat().st_size if log.exists() else 0
        everything = {"PYTHONUNBUFFERED": "1", **(os.environ if env is None else env)}
        child = Child(name, self._spawn(command, log=log, env=everything), log)
        self._children[name] = child
        self._tell_watchdog(f"+{child.pid}")
        try:
            match = self._wait_ready(child, ready, begin, time.monotonic() + timeout)
        except ChildFailed:
            self.kill(name)
            raise
        self._children[name] = child = Child(name, child.process, log, match)
        return child

    def check(self) -> None:
        """Raise ChildFailed if any child has ended by itself."""
        for child in self._children.values():
            code = child.process.poll()
            if code is not None:
                text = f"{child.name} ended with code {code}; its log:\n{tail(child.log)}"
                raise ChildFailed(text, killed=code < 0)

    def watch(self) -> None:
        """Wait until a signal ends the program; ChildFailed as soon as a child ends."""
        while True:
            self.check()
            time.sleep(POLL)

    def end(self, name: str) -> int:
        """Stop one child gracefully and forget it; return its exit code."""
        child = self._children[name]
        return self._forget(child, end(child.process, self._grace))

    def kill(self, name: str) -> int:
        """Kill one child with its group, as a crash would, and forget it; return its exit code."""
        child = self._children[name]
        return self._forget(child, kill(child.process))

    def stop(self) -> None:
        """Stop every child, the last started first; a second Ctrl-C meanwhile kills the rest."""
        stop_child = self.end
        for name in reversed(list(self._children)):
            try:
                stop_child(name)
            except (KeyboardInterrupt, SystemExit):
                stop_child = self.kill
                stop_child(name)

    def _wait_ready(
        self, child: Child, ready: Ready, begin: int, deadline: float
    ) -> re.Match[str] | None:
        while time.monotonic() < deadline:
            match = _match(ready, child.log, begin) if isinstance(ready, str) else None
            if match or ready is None or (callable(ready) and ready()):
                return match
            self.check()
            time.sleep(POLL)
        raise ChildFailed(f"{child.name} is not ready in time; its log:\n{tail(child.log)}")

    def _forget(self, child: Child, code: int) -> int:
        self._children.pop(child.name, None)
        self._tell_watchdog(f"-{child.pid}")
        return code

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog is None or self._watchdog.stdin is None:
            raise RuntimeError("use a supervisor inside its with block only")
        with suppress(BrokenPipeError):  # it was killed; parent-death signals still work
            self._watchdog.stdin.write(line + "\n")
            self._watchdog.stdin.flush()


def _match(pattern: str, log: Path, begin: int) -> re.Match[str] | None:
    """Search the child's output since its start for the pattern."""
    with log.open("rb") as file:
        file.seek(begin)
        return re.search(pattern, file.read().decode(errors="replace"))


@contextmanager
def _start_watchdog() -> Iterator[subprocess.Popen[str]]:
    """Run the watchdog; it ends when its input is closed."""
    command = [sys.executable, "-I", "-S", str(PARENT_DEATH), "watch"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, start_new_session=True, text=True
    ) as watchdog:
        yield watchdog


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise SystemExit, SIGINT KeyboardInterrupt; in a main thread only.

    SIGINT is set because a shell starts background jobs with it ignored. An ignored SIGHUP stays
    ignored, as nohup wants it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGTERM: _exit, signal.SIGINT: signal.default_int_handler}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = _exit
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
