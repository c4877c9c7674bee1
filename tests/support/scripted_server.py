"""A server whose connections follow scripts."""

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Self

from worker.vendors.cashfree.wire import Raw

Script = Callable[[socket.socket], None]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class ScriptedServer:
    """Listens on loopback; each accepted connection runs the next script."""

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.accepted = 0
        self.closed = 0

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self.port}/passport"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone doesn't end accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        for script in self._scripts:
            with contextlib.suppress(OSError):
                plain, _ = self._socket.accept()
                # What a script has sent is under way, and doesn't wait for a receipt.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.accepted += 1
                with self._wrapped(plain) as conn:
                    conn.settimeout(20)
                    script(conn)
            self.closed += 1

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        return self._context.wrap_socket(plain, server_side=True) if self._context else plain


def read_request(conn: socket.socket) -> bytes:
    """Read one request, with its body."""
    got, end = b"", 1
    while len(got) < end:
        more = conn.recv(4096)
        if not more:
            raise ConnectionError("the caller hung up")
        got += more
        head, found, _ = got.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        end = len(head + found) + int(length[1] if length else 0) if found else len(got) + 1
    return got


def wait_for_hang_up(conn: socket.socket) -> None:
    """Send nothing until the caller has hung up."""
    while conn.recv(4096):
        pass


def answer(*parts: bytes, then: Script = lambda _: None) -> Script:
    def script(conn: socket.socket) -> None:
        read_request(conn)
        for part in parts:
            conn.sendall(part)
        then(conn)

    return script


def drip(head: bytes, piece: bytes) -> Script:
    """Send a piece again and again until the caller hangs up."""
    return answer(head, then=lambda conn: trickle(conn, piece))


def trickle(conn: socket.socket, piece: bytes) -> None:
    """Send pieces until sending fails."""
    while True:
        conn.sendall(piece)
        time.sleep(0.05)


def accept_as_clean(raw: Raw) -> tuple[Raw, bool]:
    """Accept every reply as clean; a judge for `Wire`."""
    return raw, True
