"""A small supervisor for local runs: starts children in order, stops them in reverse order.

Knows nothing of what its children do; it sees their exit codes and their logs.
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

from demo.process import Process, Spawn, end, kill, spawn, tail

GUARD = Path(__file__).with_name("guard.py")
POLL = 0.05  # seconds between looks at a child

Ready = str | Callable[[], bool] | None


class ChildFailed(Exception):
    """A child ended by itself or didn't get ready; the text has its name and last words.

    `killed` tells that a signal ended it: the same may well work when it is started again.
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
    the supervisor itself is killed, its children go too, with everything they started in their own
    process groups.
    """

    def __init__(self, logs: Path, *, grace: float = 15.0, spawn: Spawn = spawn) -> None:
        self._logs = logs
        self._spawn = spawn
        self._grace = grace
        self._children: dict[str, Child] = {}
        self._resources = ExitStack()
        self._guard: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._guard = self._resources.enter_context(_guard())
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

        `ready` is a pattern looked for in the child's output (groups carry what it reports, such as
        its port) or a question asked again and again. `env` replaces the environment. The output
        goes to `<name>.log`.
        """
        if name in self._children:
            raise ValueError(f"{name} was started already: end() or kill() it first")
        log = self._logs / f"{name}.log"
        begin = log.stat().st_size if log.exists() else 0
        everything = {"PYTHONUNBUFFERED": "1", **(os.environ if env is None else env)}
        child = Child(name, self._spawn(command, log=log, env=everything), log)
        self._children[name] = child
        self._tell_guard(f"+{child.pid}")
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
                text = f"{child.name} ended with code {code}; it said:\n{tail(child.log)}"
                raise ChildFailed(text, killed=code < 0)

    def watch(self) -> None:
        """Wait until a signal ends the program; ChildFailed as soon as a child ends."""
        while True:
            self.check()
            time.sleep(POLL)

    def end(self, name: str) -> int:
        """Stop one child gracefully and forget it; return its exit code."""
        child = self._children[name]
        return self._gone(child, end(child.process, self._grace))

    def kill(self, name: str) -> int:
        """Kill one child with its group, as a crash would, and forget it; return its exit code."""
        child = self._children[name]
        return self._gone(child, kill(child.process))

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
        raise ChildFailed(f"{child.name} is not ready in time; it said:\n{tail(child.log)}")

    def _gone(self, child: Child, code: int) -> int:
        self._children.pop(child.name, None)
        self._tell_guard(f"-{child.pid}")
        return code

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise RuntimeError("a supervisor works inside its with block only")
        with suppress(BrokenPipeError):  # somebody killed the guard; the tethers still hold
            self._guard.stdin.write(line + "\n")
            self._guard.stdin.flush()


def _match(pattern: str, log: Path, begin: int) -> re.Match[str] | None:
    """Look for the pattern in what the child has said since it was started."""
    with log.open("rb") as file:
        file.seek(begin)
        return re.search(pattern, file.read().decode(errors="replace"))


@contextmanager
def _guard() -> Iterator[subprocess.Popen[str]]:
    """Run the guard; closing its input at the end lets it go."""
    command = [sys.executable, "-I", "-S", str(GUARD)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, start_new_session=True, text=True
    ) as guard:
        yield guard


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise SystemExit, SIGINT KeyboardInterrupt; main threads only.

    SIGINT too is set: a shell starts background jobs with it ignored. SIGHUP that is ignored stays
    so: that is what nohup is for.
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
