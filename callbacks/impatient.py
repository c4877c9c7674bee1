"""A gunicorn worker that slow senders can't hold up.

Gunicorn's threaded worker gives each new connection a thread, which waits there for the first
bytes, and then for the rest of the request for as long as the sender likes. Here

- a connection gets a thread once it has sent something;
- the connections of one address have at most `per_address` threads at a time, the others wait;
- a request that has not arrived within `request_s` of its first byte is cut off, also while it
  waits: what has arrived is answered, what is missing isn't waited for;
- a connection that has had a thread for twice as long, because its sender doesn't read the answer,
  is closed;
- one address has at most `open_per_address` connections; a further one is closed at once;
- a sender that doesn't close its side after the answer is waited for in its thread, where gunicorn
  lets its main loop wait for 2 s.

docs/adr/0020-a-web-worker-of-our-own.md says more.
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
    """A connection that knows whose it is, and tells once that it was closed."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:  # noqa: ANN401
        super().__init__(cfg, sock, client, server)
        self.customer = customer(client[0] if isinstance(client, tuple) else None)
        self.begun = 0.0
        self.served = float("inf")
        """When it got a thread."""
        self.on_close: Callable[[str], None] | None = None

    # The signature is upstream's.
    def close(self, graceful: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Close the socket, at once: `handle` has waited for its sender."""
        tell, self.on_close = self.on_close, None
        if tell:
            tell(self.customer)
        super().close()


class ImpatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """All but `handle` runs in the main thread, so nothing here needs a lock."""

    request_s = 15.0
    per_address = 0
    """0: addresses don't count, because they are a proxy's."""
    open_per_address = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._under_way: dict[Connection, None] = {}
        """The connections with a request that has begun, the oldest first."""
        self._waiting: dict[str, deque[Connection]] = {}

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, and wait for its first byte without a thread."""
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
        """Give a connection that has sent something a thread, or a place in its address's line."""
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
        """Answer a request; then wait for the sender's end here, not in the main loop."""
        keep = super().handle(conn)
        if not keep:
            close_graceful(conn.sock)
        return keep

    def finish_request(self, conn: Connection, fs: Any) -> None:  # noqa: ANN401
        """Take a connection back from its thread, which is the next one's."""
        self._under_way.pop(conn, None)
        _less(self._busy, conn.customer)
        if line := self._waiting.get(conn.customer):
            self._begin(line.popleft())
            if not line:
                del self._waiting[conn.customer]
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Cut off who is too slow; gunicorn's main loop comes by every second, at the end too.

        Linux still gives what arrived before.
        """
        now = time.monotonic()
        if not self.alive:  # who has sent nothing by now doesn't hold the end up
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
    """Make the worker class; gunicorn makes the workers and passes nothing of ours."""
    bounds = {
        "request_s": request_s,
        "per_address": per_address,
        "open_per_address": open_per_address,
    }
    return type("ImpatientWorker", (ImpatientWorker,), bounds)
