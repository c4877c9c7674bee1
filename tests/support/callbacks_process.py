"""Run the callbacks command as it is deployed: gunicorn's processes, on a free port."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from socket import create_connection
from urllib.parse import urlsplit

import requests

from demo.supervisor import Child, Supervisor
from tests.web.callbacks_app import environment

COMMAND = [sys.executable, "-m", "satyapan.cli", "callbacks", "--bind", "127.0.0.1:0"]
READY = r"callbacks listening on (?P<url>http://127\.0\.0\.1:(?!0\b)\d+)[\s\"]"


@dataclass(frozen=True)
class Callbacks:
    """The running command."""

    child: Child
    url: str
    session: requests.Session

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Deliver a webhook; return the status."""
        url = f"{self.url}/webhooks/cashfree"
        return self.session.post(url, data=body, headers=headers, timeout=30).status_code

    def get(self, path: str) -> requests.Response:
        """Get a path."""
        return self.session.get(f"{self.url}{path}", timeout=30, allow_redirects=False)


@contextmanager
def running_callbacks(
    processes: Supervisor, redis_url: str, *options: str, **more: str
) -> Iterator[Callbacks]:
    """Start the command; `more` are settings without the prefix SATYAPAN_."""
    env = {"PATH": os.environ["PATH"], **environment(redis_url, **more)}
    child = processes.start("callbacks", [*COMMAND, *options], env=env, ready=READY)
    assert child.ready
    with requests.Session() as session:
        session.trust_env = False
        yield Callbacks(child, child.ready["url"], session)


def raw_request(lines: list[str], length: bytes | None, body: bytes) -> bytes:
    """Build a request; without a length, as one chunk."""
    head = "\r\n".join(["POST /webhooks/cashfree HTTP/1.1", "Host: x", "Connection: close", *lines])
    if length is not None:
        return head.encode() + b"\r\nContent-Length: " + length + b"\r\n\r\n" + body
    chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    return head.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk


def send_raw(url: str, raw: bytes) -> bytes:
    """Send bytes, and return the beginning of the answer."""
    parts = urlsplit(url)
    with closing(create_connection((parts.hostname, parts.port), timeout=30)) as connection:
        connection.sendall(raw)
        return connection.recv(4096)
