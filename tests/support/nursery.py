"""Workers without the half second that Python spends on imports: a long run starts thousands.

A nursery is a process that has imported what a worker needs and does nothing; asked, it forks, and
the fork becomes `satyapan ARGUMENTS` in its own session, with its own environment and log. From
there on it is a worker like any other: same entry point, same signals, killed as dead.
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

from demo.process import TETHER, spawn
from demo.tether import PR_SET_PDEATHSIG
from tests.support.project import ROOT

PROGRAM: Final = (sys.executable, "-P", "-m", "satyapan.cli")
_NEEDED: Final = (
    "satyapan.cli",
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


class Nursery:
    """The way to a nursery process; `spawn` stands in for the plain one of `demo.process`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._heard = b""
        self._codes: dict[int, int] = {}
        self._born: list[int] = []

    def spawn(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes] | Nursling":
        """Fork a command of ours; start any other as usual."""
        own = len(PROGRAM)
        if tuple(command[:own]) != PROGRAM:
            return spawn(command, log=log, env=env)
        wish = {"arguments": command[own:], "log": str(log), "env": dict(env or {})}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        while not self._born:
            self._listen(5)
        return Nursling(self._born.pop(), self)

    def code(self, pid: int) -> int | None:
        """Tell how one ended; None while it lives."""
        self._listen(0)
        return self._codes.get(pid)

    def _listen(self, patience: float) -> None:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while _readable(pipe, patience):
            heard = os.read(pipe, 65536)
            assert heard, "the nursery is gone"
            *lines, self._heard = (self._heard + heard).split(b"\n")
            for said in map(json.loads, lines):
                self._take(said)
            patience = 0

    def _take(self, said: Mapping[str, int]) -> None:
        if "code" in said:
            self._codes[said["pid"]] = said["code"]
        else:
            self._born.append(said["pid"])


class Nursling:
    """A forked worker, with what a supervisor asks of a process."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        """Give the exit code; None while it lives."""
        if self.returncode is None:
            self.returncode = self._nursery.code(self.pid)
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
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Run a nursery inside the block; whatever it has forked ends with it."""
    command = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid())]
    command += [sys.executable, "-m", "tests.support.nursery"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        yield Nursery(process)


def _readable(file: int, patience_s: float) -> bool:
    """Wait for something to read; unlike select, poll takes any number of a file."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(patience_s * 1000))


# ---- the nursery's own side ----


def serve() -> list[str]:
    """Fork whenever asked, tell of the ends; returns in each fork, with its arguments."""
    for name in _NEEDED:
        import_module(name)
    gc.freeze()  # what is shared stays shared
    heard = b""
    while True:
        if _readable(0, _REAP_S):
            if not (more := os.read(0, 65536)):
                sys.exit()
            *wishes, heard = (heard + more).split(b"\n")
            for wish in map(json.loads, wishes):
                if not os.fork():
                    return _become(wish)
        _reap()


def _become(wish: Mapping[str, Any]) -> list[str]:
    parent = os.getppid()
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)
    _tell(pid=os.getpid())  # not before it has a group that can be killed
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
        os.dup2(source, number)
    os.environ.clear()
    os.environ.update(wish["env"])
    return list(wish["arguments"])


def _reap() -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _tell(**said: int) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    forked = serve()
    import_module("satyapan.cli").main(forked, prog_name="satyapan")
