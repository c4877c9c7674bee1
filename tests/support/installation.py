"""Many small installations of Satyapan on one real server and one real sandbox vendor.

`Services` is what they share. An `Installation` has its own prefix, and so its own ledger, queues,
workers and producer. Start everything from the main thread: a child ends with the thread that
started it.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

import requests

from demo.environment import passed_on
from demo.local_stack import LocalStack
from demo.supervisor import Child, Supervisor
from satyapan import Unavailable, Verifications
from satyapan.failpoints import VARIABLE
from tests.support.fork_server import PROGRAM, fork_server
from tests.support.http_listener import listening
from tests.support.project import ROOT
from tests.support.proxy import FaultProxy
from tests.support.toy_stack import OPERATIONS, PLACES
from tests.support.toy_stack import ROUTES as TOY_ROUTES

ROUTES: Final = (
    *("passport", "digilocker", "digilocker_status", "digilocker_document", "static_link"),
    *TOY_ROUTES,
)
PLENTY: Final = 1_000_000
LEASE_S: Final = 12.0
SWEEP_S: Final = 0.3
KINDS_AND_QUOTA: Final = {
    "SATYAPAN_KINDS": ",".join(PLACES),
    "SATYAPAN_QUOTA_PER_MINUTE": ",".join(f"{route}={PLENTY}" for route in ROUTES),
}
SANDBOX_OPTIONS: Final = (*OPERATIONS, *(f"--quota={route}={PLENTY}" for route in ROUTES))
SETTINGS: Final = {
    **KINDS_AND_QUOTA,
    "SATYAPAN_CASHFREE_CONNECT_TIMEOUT_S": "1",
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S": "3",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S": "3",
    # After a restart or a failover of Redis calls are held for a window.
    "SATYAPAN_QUOTA_WINDOW_S": "4",
    # As short as the rules allow with the usual waits for Redis.
    "SATYAPAN_WORKER_LEASE_S": str(LEASE_S),
    "SATYAPAN_WORKER_SWEEP_S": str(SWEEP_S),
    "SATYAPAN_WORKER_CONCURRENCY": "2",
    "SATYAPAN_WORKER_SOFT_SHUTDOWN_S": "1",
    "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.2",
    "SATYAPAN_WORKER_BACKOFF_CAP_S": "1",
    "SATYAPAN_WORKER_POLL_MIN_S": "0.5",
    "SATYAPAN_WORKER_POLL_MAX_S": "1",
    "SATYAPAN_REPLY_TO": "judge",
}
_NOBODY: Final = "redis://127.0.0.1:1/0"


class WebhookRelay:
    """Receives the sandbox's webhooks and forwards each to its installation.

    The sandbox has one webhook address; `deliver_to` sets where bodies with a certain text go.
    """

    def __init__(self) -> None:
        self.url = ""
        self._places: dict[bytes, str] = {}

    def deliver_to(self, text: str, url: str) -> None:
        """From now on, forward webhooks whose body contains this text to this address."""
        self._places[text.encode()] = url

    def forward(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Forward a webhook, byte for byte; return the status for the sender."""
        url = next((url for text, url in self._places.items() if text in body), None)
        if url is None:
            return 200  # about an installation without a callbacks app
        try:
            return requests.post(url, data=body, headers=headers, timeout=2).status_code
        except requests.RequestException:
            return 502

    @contextmanager
    def open(self) -> Iterator["WebhookRelay"]:
        """Listen inside the block."""
        with listening(_handler(self)) as address:
            self.url = f"{address}/"
            yield self


def _handler(relay: WebhookRelay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            own = {n: v for n, v in self.headers.items() if n.lower().startswith(("x-", "content"))}
            with suppress(OSError):
                self.send_response(relay.forward(body, own))
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    return Handler


class Services:
    """What installations share: server, sandbox, post relay, and one supervisor of children."""

    def __init__(self, folder: Path, *, sandbox_args: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.stack = LocalStack(
            folder / "stack",
            workers=0,
            callbacks=False,
            env=SETTINGS,
            sandbox_args=[*SANDBOX_OPTIONS, *sandbox_args],
        )
        self.relay = WebhookRelay()
        self.children: Supervisor
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(self.stack)
            opening.enter_context(self.relay.open())
            forks = opening.enter_context(fork_server())
            self.children = Supervisor(self.folder / "logs", grace=3, spawn=forks.spawn)
            opening.enter_context(self.children)
            self.stack.control("webhooks", {"url": self.relay.url})
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def audit(self) -> list[Mapping[str, Any]]:
        """List all charges of the vendor."""
        entries: list[Mapping[str, Any]] = self.stack.control("audit")["audit"]
        return entries

    def redis_proxy(self) -> FaultProxy:
        """Build a fault proxy before the server."""
        return FaultProxy("127.0.0.1", self.stack.server.port)

    def vendor_proxy(self) -> FaultProxy:
        """Build a fault proxy before the sandbox."""
        return FaultProxy("127.0.0.1", int(self.stack.sandbox_url.rpartition(":")[2]))


class Installation:
    """A prefix with its producer and its processes; each needs its own `name`."""

    def __init__(self, services: Services, name: str, **env: str) -> None:
        self.services = services
        self.name = name
        self.env = {**services.stack.env, "SATYAPAN_PREFIX": name, **env}
        self.producer = Verifications.from_env({**services.stack.env, "SATYAPAN_PREFIX": name})
        self.children: list[Child] = []

    def mute_producer(self) -> Verifications:
        """Build a producer whose wake-ups never arrive: only the sweeper finds its rows."""
        own = {**self.services.stack.env, "SATYAPAN_PREFIX": self.name}
        return Verifications.from_env({**own, "SATYAPAN_BROKER_URL": _NOBODY})

    def start_worker(self, fault: str = "", **env: str) -> Child:
        """Start a worker, with a failpoint if `fault` is name:action:file; don't wait for it."""
        return self._start("worker", [*PROGRAM, "worker"], fault, env)

    def start_callbacks(self, fault: str = "") -> Child:
        """Start a callbacks app on a free port, which `listens_at` reads from its log."""
        command = [*PROGRAM, "callbacks", "--workers", "1", "--bind", "127.0.0.1:0"]
        return self._start("callbacks", command, fault, {})

    def run_producer(self, fault: str, kind: str, request: str, one: str) -> Child:
        """Start a program that submits one verification, with a failpoint."""
        command = [sys.executable, "-m", "tests.support.failpoint_producer", kind, request, one]
        return self._start("producer", command, fault, {"PYTHONPATH": str(ROOT)})

    def _start(self, what: str, command: list[str], fault: str, env: Mapping[str, str]) -> Child:
        own = {VARIABLE: fault} if fault else {}
        everything = {**passed_on(os.environ), **self.env, **env, **own}
        name = f"{self.name}-{what}-{len(self.children)}"
        child = self.services.children.start(name, command, env=everything, ready=None)
        self.children.append(child)
        return child

    def end(self) -> None:
        """Kill every process that still runs."""
        for child in self.children:
            self.services.children.kill(child.name)
        self.children.clear()


def said(child: Child, words: str) -> str:
    """Return the first line of a child's log that contains these words, or ""."""
    try:
        lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line for line in lines if words in line), "")


def listens_at(app: Child) -> str:
    """Return the address that a callbacks app logged, or "" before it listens."""
    found = re.search(r"http://[0-9.:]+", said(app, "listening on"))
    return found[0] if found else ""


def gone(child: Child) -> bool:
    """Return True if a child has ended."""
    return child.process.poll() is not None


def kill_group(child: Child) -> None:
    """Kill a child with its process group, as the end of its container would."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(5)


def until(condition: Callable[[], object], what: str, *, within: float = 60.0) -> Iterator[None]:
    """Yield until the condition holds; fail if it doesn't in time.

    Errors of a server that is away count as False.
    """
    deadline = monotonic() + within
    while not _holds(condition):
        assert monotonic() < deadline, f"did not happen within {within:g} s: {what}"
        yield


def _holds(condition: Callable[[], object]) -> bool:
    with suppress(Unavailable):
        return bool(condition())
    return False
