"""A gunicorn worker that slow senders can't block.

Gunicorn's threaded worker gives each new connection a thread, which waits there for the first
bytes, and then for the rest of the request, without a time limit. Here

- a connection gets a thread once it has sent something;
- the connections of one address have at most `per_address` threads at a time, the others wait;
- a request that has not arrived within `request_s` of its first byte is cut off, also while it
  waits: what has arrived is answered, what is missing isn't waited for;
- a connection that has had a thread for twice as long, because its sender doesn't read the answer,
  is closed;
- one address has at most `open_per_address` connections; a further one is closed at once;
- after the last answer the thread, not the main loop, waits up to 2 s for the sender to close.

The reasons: docs/adr/0020-a-web-worker-of-our-own.md.
"""

import errno
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.util import close_graceful
from gunicorn.workers.gthread import TConn, ThreadWorker

from callbacks.guard import customer

_GONE = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)
_LINGER_S = 2.0


class Connection(TConn):  # type: ignore[misc] # gunicorn ships no types
    """A connection with its sender's address, which reports once that it was closed."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:  # noqa: ANN401
        super().__init__(cfg, sock, client, server)
        self.customer = customer(client[0] if isinstance(client, tuple) else None)
        self.begun = 0.0
        self.served = float("inf")
        """When it got a thread."""
        self.on_close: Callable[[str], None] | None = None

    # The signature is upstream's.
    def close(self, graceful: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Close the socket at once: `handle` has already waited for the sender."""
        tell, self.on_close = self.on_close, None
        if tell:
            tell(self.customer)
        super().close()


class ImpatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """Everything but `handle` runs in the main thread, so nothing here needs a lock."""

    request_s = 15.0
    per_address = 0
    """0: no bound, because all connections have a proxy's address."""
    open_per_address = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._under_way: dict[Connection, None] = {}
        """The connections whose request has begun, the oldest first."""
        self._waiting: dict[str, deque[Connection]] = {}

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its first byte without a thread."""
        try:
            sock, peer = listener.accept()
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return
        conn = Connection(self.cfg, sock, peer, listener.getsockname())
        if self.open_per_address and self._open[conn.customer] >= self.open_per_address:
            conn.close()
            return
        self.nr_conns += 1
        self._open[conn.customer] += 1
        conn.on_close = partial(_less, self._open)
        conn.timeout = time.monotonic() + self.request_s
        self.pending_conns.append(conn)
        self.poller.register(sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: Connection) -> None:
        """Give a connection with data a thread, or queue it behind others of its address."""
        conn.begun, conn.served = time.monotonic(), float("inf")
        self._under_way[conn] = None
        if self.per_address and self._busy[conn.customer] >= self.per_address:
            self._waiting.setdefault(conn.customer, deque()).append(conn)
        else:
            self._begin(conn)

    def _begin(self, conn: Connection) -> None:
        conn.served = time.monotonic()
        self._busy[conn.customer] += 1
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:  # noqa: ANN401
        """Answer a request; then wait here, not in the main loop, for the sender to close."""
        keep = super().handle(conn)
        if not keep:
            close_graceful(conn.sock)
        return keep

    def finish_request(self, conn: Connection, fs: Any) -> None:  # noqa: ANN401
        """Take a connection back from its thread, and give the thread to the next one in line."""
        self._under_way.pop(conn, None)
        _less(self._busy, conn.customer)
        if line := self._waiting.get(conn.customer):
            self._begin(line.popleft())
            if not line:
                del self._waiting[conn.customer]
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Cut off slow connections; gunicorn's main loop calls this every second, also at the end.

        Linux still delivers what arrived before.
        """
        now = time.monotonic()
        if not self.alive:  # connections that have sent nothing don't delay the end
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, now + _LINGER_S)
        super().murder_pending()
        self._cut_off(now)

    def _cut_off(self, now: float) -> None:
        for conn in self._under_way:
            if now - conn.begun < self.request_s:
                break
            unread = now - conn.served >= 2 * self.request_s
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR if unread else socket.SHUT_RD)


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if counts[name] <= 0:
        del counts[name]


def impatient(
    request_s: float, per_address: int = 0, open_per_address: int = 0
) -> type[ImpatientWorker]:
    """Make the worker class with these bounds: gunicorn makes the workers, without arguments."""
    bounds = {
        "request_s": request_s,
        "per_address": per_address,
        "open_per_address": open_per_address,
    }
    return type("ImpatientWorker", (ImpatientWorker,), bounds)
