"""A vendor that answers status reads twice, late, in advance, out of order, by a seed.

Each reply contains its id twice: as `verification_id`, which the client checks, and in
`user_details` or in the error's code, which only the test reads. One case is left out because no
client can detect it: an error, which repeats no id, that arrives alone on a later call.
"""

import contextlib
import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final, Self

HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 4\r\n\r\n"
PROCESSING: Final = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
SWITCH: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
EMPTY: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
UNCHANGED: Final = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n"
PAUSE: Final = 0.002

Step = bytes | float | tuple[str, bytes] | None
"""Send bytes; wait seconds; send bytes with or before the next reply; None: hang up."""


def found(vendor_id: str) -> bytes:
    """Build the body of a status read."""
    details = {"name": vendor_id}
    body = {"verification_id": vendor_id, "status": "PENDING", "user_details": details}
    return json.dumps(body).encode()


def refused(vendor_id: str) -> bytes:
    """Build the body of an error, which repeats no id."""
    return json.dumps({"type": "validation_error", "code": vendor_id, "message": "no"}).encode()


def whole(status: bytes, body: bytes, *more: bytes) -> bytes:
    """Build a reply of known length."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(status: bytes, body: bytes, trailers: bytes = b"") -> bytes:
    """Build a reply in two chunks."""
    pieces = b"".join(b"%x;a=b\r\n%s\r\n" % (len(p), p) for p in (body[:7], body[7:]))
    head = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    return head + pieces + b"0\r\n" + trailers + b"\r\n"


def tricks(status: bytes, body: bytes, other: bytes) -> dict[str, list[Step]]:
    """List the tricks for any reply; `other` is a good reply about another id."""
    own = whole(status, body)
    return {
        "plain": [own],
        "in chunks": [chunked(status, body)],
        "with trailers": [chunked(status, body, b"X-Digest: abc\r\nX-More: d\r\n")],
        "continue first": [CONTINUE + own],
        "processing first": [PROCESSING, PAUSE, own],
        "hints first": [HINTS + own],
        "several first": [CONTINUE + PROCESSING, HINTS * 3, PAUSE, PROCESSING + own],
        "hints only": [HINTS, None],
        "switched": [SWITCH + own],
        "hung up": [own, None],
        "in pieces": [own[:20], PAUSE, own[20:]],
        "twice": [own + own],
        "another behind": [own + other],
        "another behind chunks": [chunked(status, body) + other],
        "another later": [own, PAUSE, other],
        "another instead": [other],
        "another first": [other + own],
        "lines behind": [own + b"\r\n\r\n"],
        "none, with a body": [EMPTY + other],
        "unchanged, with a body": [UNCHANGED + other],
        "two lengths": [whole(status, body, b"Content-Length: 2") + other],
        "too short a length": [b"HTTP/1.1 %s\r\nContent-Length: 5\r\n\r\n" % status + body],
        "again with the next": [own, ("with", own)],
        "another with the next": [own, ("with", other)],
        "another before the next": [own, ("before", other)],
    }


def late(body: bytes) -> dict[str, list[Step]]:
    """List the tricks for a reply that repeats its id."""
    own = whole(b"200 OK", body)
    return {
        "again later": [own, PAUSE, own],
        "again before the next": [own, ("before", own)],
        "hints and again later": [HINTS, own, PAUSE, HINTS + own],
    }


class MisbehavingVendor:
    """Listens on loopback, with a thread per connection; the trick depends on seed and id.

    `share` of all replies get a trick.
    """

    def __init__(
        self, seed: int, context: ssl.SSLContext | None = None, share: float = 0.5
    ) -> None:
        self._seed = seed
        self._share = share
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._open: list[socket.socket] = []
        self._other = found("nobody")
        self.accepted = 0
        self.played: Counter[str] = Counter()

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up(self._socket)
        self._threads[0].join(30)
        for plain in self._open:
            self._hang_up(plain)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _hang_up(self, plain: socket.socket) -> None:
        """Shut a socket down, which also wakes a thread that waits for it; closing doesn't."""
        with contextlib.suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)
        plain.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._socket.accept()
                self.accepted += 1
                self._open.append(plain)
                thread = threading.Thread(target=self._talk, args=(plain,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _talk(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            plain.settimeout(30)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._wrapped(plain) as conn:
                self._answer(conn)

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        if self._context is None:
            return plain
        conn = self._context.wrap_socket(plain, server_side=True)
        self._open.append(conn)  # the plain socket is detached now
        return conn

    def _answer(self, conn: socket.socket) -> None:
        when, owed = "", b""
        for vendor_id in _ids(conn):
            if when == "before":
                conn.sendall(owed)
                time.sleep(PAUSE)
            first, when = owed if when == "with" else b"", ""
            for step in self._steps(vendor_id):
                if step is None:
                    return
                if isinstance(step, float):
                    time.sleep(step)
                elif isinstance(step, tuple):
                    when, owed = step
                else:
                    conn.sendall(first + step)
                    first = b""

    def _steps(self, vendor_id: str) -> list[Step]:
        dice = random.Random(f"{self._seed}:{vendor_id}")
        other, good = whole(b"200 OK", self._other), dice.random() < 0.8
        body = found(vendor_id) if good else refused(vendor_id)
        known = tricks(b"200 OK" if good else b"400 Bad Request", body, other)
        known |= late(body) if good else {}
        name = dice.choice(list(known)) if dice.random() < self._share else "plain"
        self.played[name] += 1
        if good:
            self._other = body
        return known[name]


def _ids(conn: socket.socket) -> Iterator[str]:
    """Read requests and yield the id of each."""
    got = b""
    while True:
        while b"\r\n\r\n" not in got:
            more = conn.recv(4096)
            if not more:
                return
            got += more
        head, _, got = got.partition(b"\r\n\r\n")
        yield head.split(b"verification_id=")[1].split(b" ")[0].decode()
