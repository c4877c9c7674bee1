"""Fixtures for the sandbox's own tests: in memory, on a socket in a thread, or as a process."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.definitions.loading import load_operations
from sandbox.python_answers import PYTHON_ANSWERS
from sandbox.server import SandboxServer
from tests.support.project import ROOT

NOON = 1_767_607_872.0  # 2026-01-05T10:11:12Z
KEYS = {"x-client-id": "sandbox-client", "x-client-secret": "sandbox-secret"}
OPERATIONS = load_operations(PYTHON_ANSWERS)
PLENTY = dict.fromkeys(OPERATIONS.quotas(), 1_000_000)


@dataclass
class FixedClock:
    """A clock that moves only when a test sets it."""

    at: float = NOON

    def __call__(self) -> float:
        return self.at


@dataclass
class FixedIds:
    """Predictable ids: rising references, and numbered codes after the first."""

    reference: int = 1358
    first_code: str = "h7562ci7us0"
    codes: int = 0

    def reference_id(self) -> int:
        self.reference += 1
        return self.reference - 1

    def code(self) -> str:
        self.codes += 1
        return self.first_code if self.codes == 1 else f"code{self.codes}"


@dataclass
class Vendor:
    """A sandbox on a socket, with short methods to call it."""

    root: str
    clock: FixedClock = field(default_factory=FixedClock)

    @property
    def base(self) -> str:
        return f"{self.root}/verification"

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = KEYS,
        timeout: float = 30,
    ) -> requests.Response:
        """Call an operation with the valid key pair, unless other headers are given."""
        return requests.request(
            method,
            f"{self.base}{path}",
            json=json,
            params=params,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        )

    def open(self, url: str, **form: str | list[str]) -> requests.Response:
        """Open a page, or send its form when fields are given."""
        method = "POST" if form else "GET"
        return requests.request(method, url, data=form, timeout=30, allow_redirects=False)

    def control(self, path: str, **body: object) -> dict[str, Any]:
        """Post to a control route and return its answer."""
        answer = requests.post(f"{self.root}/_control/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def read(self, name: str) -> list[dict[str, Any]]:
        """Read a control route: audit, calls, quota, webhooks."""
        return list(requests.get(f"{self.root}/_control/{name}", timeout=30).json()[name])


@contextmanager
def on_a_socket(config: SandboxConfig) -> Iterator[Vendor]:
    """Serve a sandbox with a fixed clock from a thread."""
    clock = FixedClock()
    listener = SandboxServer(create_app(config, clock, FixedIds()), "127.0.0.1", 0)
    thread = threading.Thread(target=listener.serve, daemon=True)
    thread.start()
    vendor = Vendor(f"http://127.0.0.1:{listener.port}", clock)
    try:
        yield vendor
    finally:
        vendor.control("reset")  # no webhook is retried during a later test
        listener.stop()
        thread.join(timeout=5)


@pytest.fixture
def start() -> Iterator[Callable[..., Vendor]]:
    """Start sandboxes on sockets, each with the settings given."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(on_a_socket(SandboxConfig(**settings)))


@pytest.fixture
def vendor(start: Callable[..., Vendor]) -> Vendor:
    """Start a sandbox with the default settings that also allows http redirects to this machine."""
    return start(loopback_redirects=True, webhook_backoff_s=0.01)


@pytest.fixture
def client() -> FlaskClient:
    """A sandbox in memory."""
    return create_app(SandboxConfig(), FixedClock(), FixedIds()).test_client()


@dataclass
class Received:
    """One received webhook."""

    headers: dict[str, str]
    raw: bytes


@dataclass
class Receiver:
    """A receiver of webhooks: responds with ``answers`` in turn, then with 200.

    It responds to nothing while ``free`` is cleared.
    """

    url: str = ""
    free: threading.Event = field(default_factory=threading.Event)
    got: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server on a free port that keeps every webhook."""
    kept = Receiver()
    kept.free.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.got.append(Received(headers, raw))
            kept.free.wait(30)
            self.send_response(kept.answers.pop(0) if kept.answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}/hooks"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield kept
        server.shutdown()
        thread.join(timeout=5)


@dataclass
class Process:
    """A sandbox in a process of its own."""

    vendor: Vendor
    popen: subprocess.Popen[str]


@contextmanager
def as_a_process(*options: str) -> Iterator[Process]:
    """Run ``python -m sandbox`` and wait for the line with its address."""
    command = [sys.executable, "-m", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as popen:
        try:
            assert popen.stdout is not None
            line = popen.stdout.readline()
            found = re.fullmatch(r"sandbox listening on (http://\S+)/verification\n", line)
            assert found, f"unexpected first line: {line!r}"
            yield Process(Vendor(found[1]), popen)
        finally:
            popen.kill()


@pytest.fixture
def toys(start: Callable[..., Vendor], receiver: Receiver) -> Vendor:
    """Start a sandbox that knows the toy operations and sends its webhooks to ``receiver``."""
    folder = str(ROOT / "tests" / "support" / "toy_operations")
    return start(operations=[folder], webhook_url=receiver.url, webhook_backoff_s=0.01)


@pytest.fixture
def spawn() -> Iterator[Callable[..., Process]]:
    """Start sandbox processes that end with the test."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(as_a_process(*options))
