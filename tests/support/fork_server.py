"""Start workers by fork from a process that has imported everything already.

A long run starts thousands of workers, and imports take half a second each. The fork server imports
what a worker needs and waits. On request it forks, and the fork becomes `satyapan ARGUMENTS` with
its own session, environment and log: same entry point and same signals as any other worker.
"""

import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from demo.parent_death import PR_SET_PDEATHSIG
from demo.process import PARENT_DEATH, spawn
from tests.support.project import ROOT

PROGRAM: Final = (sys.executable, "-P", "-m", "satyapan.cli")
_NEEDED: Final = (
    "satyapan.cli.main",
    "worker.cli",
    "celery.apps.worker",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.log",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.worker",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "kombu.transport.redis",
)
_REAP_S: Final = 0.02


class ForkServer:
    """Client of the fork server process; `spawn` replaces the one of `demo.process`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._received = b""
        self._codes: dict[int, int] = {}
        self._started: list[int] = []

    def spawn(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes] | ForkedWorker":
        """Fork a command of ours; start any other as usual."""
        own = len(PROGRAM)
        if tuple(command[:own]) != PROGRAM:
            return spawn(command, log=log, env=env)
        request = {"arguments": command[own:], "log": str(log), "env": dict(env or {})}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        while not self._started:
            self._read_reports(5)
        return ForkedWorker(self._started.pop(), self)

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a fork; None while it runs."""
        self._read_reports(0)
        return self._codes.get(pid)

    def _read_reports(self, patience: float) -> None:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while _readable(pipe, patience):
            received = os.read(pipe, 65536)
            assert received, "the fork server has ended"
            *lines, self._received = (self._received + received).split(b"\n")
            for report in map(json.loads, lines):
                self._handle(report)
            patience = 0

    def _handle(self, report: Mapping[str, int]) -> None:
        if "code" in report:
            self._codes[report["pid"]] = report["code"]
        else:
            self._started.append(report["pid"])


class ForkedWorker:
    """A forked worker; implements `demo.process.Process`."""

    def __init__(self, pid: int, server: ForkServer) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; subprocess.TimeoutExpired if it doesn't come in time."""
        deadline = time.monotonic() + (timeout or 60)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 60)
            time.sleep(0.005)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    """Run a fork server inside the block; its forks end with it."""
    command = [sys.executable, "-I", "-S", str(PARENT_DEATH), "exec", str(os.getpid())]
    command += [sys.executable, "-m", "tests.support.fork_server"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        yield ForkServer(process)


def _readable(file: int, patience_s: float) -> bool:
    """Wait for something to read; unlike select, poll takes any number of a file."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(patience_s * 1000))


# ---- in the fork server process ----


def serve() -> list[str]:
    """Fork on request and report exits; return in each fork, with its arguments."""
    for name in _NEEDED:
        import_module(name)
    gc.freeze()  # what is shared stays shared
    received = b""
    while True:
        if _readable(0, _REAP_S):
            if not (more := os.read(0, 65536)):
                sys.exit()
            *requests, received = (received + more).split(b"\n")
            for request in map(json.loads, requests):
                if not os.fork():
                    return _run_as(request)
        _reap()


def _run_as(request: Mapping[str, Any]) -> list[str]:
    parent = os.getppid()
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)
    _report(pid=os.getpid())  # not before it has a group that can be killed
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
        os.dup2(source, number)
    os.environ.clear()
    os.environ.update(request["env"])
    return list(request["arguments"])


def _reap() -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _report(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _report(**fields: int) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    forked = serve()
    import_module("satyapan.cli.main").main(forked, prog_name="satyapan")
