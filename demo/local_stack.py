"""A complete installation in a folder, on free ports: server, sandbox vendor, workers, callbacks.

    with LocalStack(tmp_path) as stack:
        verifications = stack.verifications()
        ...
        stack.kill_worker()   # as a crash would
        stack.restart_worker()

Every process is real and ends with the block, also after `kill -9` of the process that opened it.
For the demo, tests and benchmarks; independent of what they do with it.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import requests

from config.settings import Settings, read_settings
from demo.environment import fresh_settings, passed_on
from demo.server import HOST, EmbeddedServer, free_port
from demo.supervisor import Child, ChildFailed, Ready, Supervisor
from satyapan import Verifications

_TRIES: Final = 3
_REVIVALS: Final = 20
_PROGRAM: Final = (sys.executable, "-P", "-m")  # -P: nothing of the current folder is imported
_SATYAPAN: Final = (*_PROGRAM, "satyapan.cli")
_LISTENING: Final = r"listening on http://(?P<address>[^\s/\"]+)"


class LocalStack:
    """Context manager; inside the block every process runs.

    Attributes, inside the block:
        env: the settings, as environment variables for producers and further children.
        settings: the same settings, read.
        server: the EmbeddedServer; it can be killed and restarted under the same address.
        sandbox_url: base of the sandbox's addresses; its control routes are below `/_control`.
        callbacks_url: base of return page and webhooks; without callbacks nothing listens there.

    Args:
        folder: for data, logs and files of the caller; created if missing, never removed.
        workers: how many worker processes; named worker-1, worker-2 ...
        env: further settings for every child.
        worker_env: further settings for the workers alone, such as SATYAPAN_WORKER_POOL.
        sandbox_args: further options of the sandbox, such as `["--latency-ms", "200"]`.
        callbacks: whether to start the callbacks app.
        revive: whether `restart_ended` restarts workers and callbacks that have ended.
        started: called with the name and the address (or process id) of each child that is ready.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        env: Mapping[str, str] | None = None,
        worker_env: Mapping[str, str] | None = None,
        sandbox_args: Sequence[str] = (),
        callbacks: bool = True,
        revive: bool = False,
        started: Callable[[str, str], None] = lambda _name, _what: None,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.server = EmbeddedServer(folder / "redis")
        self.sandbox_url = ""
        self.callbacks_url = ""
        self.env: dict[str, str] = {}
        self.revived: list[str] = []
        self._workers = [f"worker-{n}" for n in range(1, workers + 1)]
        self._more_env = dict(env or {})
        self._worker_env = dict(worker_env or {})
        self._sandbox_args = sandbox_args
        self._with_callbacks = callbacks
        self._revive = revive
        self._started = started
        self._supervisor = Supervisor(self.logs)
        self._children: dict[str, Child] = {}
        self._restarts: dict[str, Callable[[], object]] = {}
        self._open = ExitStack()

    @property
    def settings(self) -> Settings:
        """Read the settings of the children."""
        return read_settings(self.env)

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(self._supervisor)
            opening.callback(self.server.stop)
            opening.callback(self._supervisor.stop)  # before the server
            self._start_all()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop every child, the server last; a second call does nothing."""
        self._open.close()

    def verifications(self, reply_to: str = "demo") -> Verifications:
        """Build the client of a producer with this name."""
        return Verifications.from_env({**self.env, "SATYAPAN_REPLY_TO": reply_to})

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read the sandbox's control route `path` (GET), or change something with `body` (POST)."""
        url = f"{self.sandbox_url}/_control/{path}"
        method = "GET" if body is None else "POST"
        answer = requests.request(method, url, json=body, timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def pid(self, name: str = "worker-1") -> int:
        """Return the process id of a child: worker-1, sandbox, callbacks."""
        return self._children[name].pid

    def kill_worker(self, name: str = "worker-1") -> None:
        """Kill a worker with its whole group, as a crash would."""
        del self._children[name]
        self._supervisor.kill(name)

    def restart_worker(self, name: str = "worker-1") -> None:
        """Kill a worker if it runs, and start it again; return once it is ready."""
        if name in self._children:
            self.kill_worker(name)
        self._start_worker(name)

    def restart_ended(self) -> list[str]:
        """Restart the workers and callbacks that have ended by themselves; return their names.

        Raises:
            ChildFailed: another child ended, or restarts exceed their maximum.
        """
        ended = [n for n, child in self._children.items() if child.process.poll() is not None]
        for name in ended:
            if name not in self._restarts or len(self.revived) >= _REVIVALS:
                self._supervisor.check()
            self._supervisor.kill(name)  # also what is left of its group
            self._restarts[name]()
            self.revived.append(name)
        return ended

    def _start_all(self) -> None:
        self.server.start()
        self._started("server", self.server.url)
        self.env = keys = fresh_settings(self.server.url) | self._more_env
        address = self._start_callbacks(0) if self._with_callbacks else _unused_address()
        self.callbacks_url = f"http://{address}"
        self._started("callbacks", self.callbacks_url)
        self.sandbox_url = self._start_sandbox()
        self._started("sandbox", self.sandbox_url)
        self.env = {
            **keys,
            "SATYAPAN_CALLBACKS_PUBLIC_URL": self.callbacks_url,
            "SATYAPAN_CASHFREE_BASE_URL": f"{self.sandbox_url}/verification",
        }
        for name in self._workers:
            self._start_worker(name)
            self._started(name, f"process {self.pid(name)}")

    def _start_callbacks(self, port: int, ready: Ready = _LISTENING) -> str:
        """Start the callbacks app; return host and port."""
        command = [*_SATYAPAN, "callbacks", "--workers", "1", "--bind", f"{HOST}:{port}"]
        child = self._start("callbacks", command, self.env, ready)
        address = child.ready["address"] if child.ready else f"{HOST}:{port}"
        taken = int(address.rpartition(":")[2])
        self._may_restart("callbacks", lambda: self._start_callbacks(taken, ready=None))
        return address

    def _start_sandbox(self) -> str:
        """Start the sandbox; return the base of its addresses."""
        hook = f"{self.callbacks_url}/webhooks/cashfree"
        command = [*_PROGRAM, "sandbox", "--loopback-redirects", "--webhook-url", hook]
        child = self._start("sandbox", [*command, *self._sandbox_args], {}, _LISTENING)
        return f"http://{child.ready['address']}" if child.ready else ""

    def _start_worker(self, name: str, ready: Ready = "worker ready") -> None:
        self._start(name, [*_SATYAPAN, "worker"], self.env | self._worker_env, ready)
        self._may_restart(name, lambda: self._start_worker(name, ready=None))

    def _start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], ready: Ready
    ) -> Child:
        everything = passed_on(os.environ) | dict(env)
        for tries_left in reversed(range(_TRIES)):
            try:
                child = self._supervisor.start(name, command, env=everything, ready=ready)
                break
            except ChildFailed as failure:
                if not (self._revive and failure.killed and tries_left):
                    raise
        self._children[name] = child
        return child

    def _may_restart(self, name: str, start: Callable[[], object]) -> None:
        if self._revive:
            self._restarts[name] = start


def _unused_address() -> str:
    """Return an address at which nothing listens."""
    return f"{HOST}:{free_port()}"
