"""A gunicorn worker that slow senders can't block.

Gunicorn's threaded worker gives each new connection a thread, which waits for the first bytes and
then for the rest of the request without a time limit. This worker has these rules:

- A connection gets a thread once it has sent something.
- The connections of one address have at most `threads_per_address` threads; the others wait.
- A request must arrive within `request_s` of its first byte, also while it waits for a thread. Then
  reading ends: the part that has arrived is answered.
- A connection that has had a thread for twice as long, because its sender doesn't read the
  response, is closed.
- One address has at most `connections_per_address` connections; a further one is closed at once.
- After the last response the thread, not the main loop, waits up to 2 s for the sender to close.

The reasons: docs/adr/0020-a-web-worker-of-our-own.md.
"""

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

from callbacks.addresses import customer

_IDLE_AT_STOP_S = 2.0


class DeadlineConnection(TConn):  # type: ignore[misc] # gunicorn ships no types
    """A connection that knows its sender's address and its times, and reports its end once."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:  # noqa: ANN401
        super().__init__(cfg, sock, client, server)
        self.customer = customer(client[0] if isinstance(client, tuple) else None)
        self.request_began = 0.0
        self.thread_began = float("inf")
        """When it got a thread."""
        self.on_close: Callable[[str], None] | None = None

    # The signature is upstream's.
    def close(self, graceful: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Close the socket at once: `handle` has already waited for the sender."""
        on_close, self.on_close = self.on_close, None
        if on_close:
            on_close(self.customer)
        super().close()


class RequestDeadlineWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """Bounds the time, threads and connections that one sender can take.

    Everything but `handle` runs in the main thread, so nothing here needs a lock.
    """

    request_s = 15.0
    threads_per_address = 0
    """0: no limit, because all connections have a proxy's address."""
    connections_per_address = 0
    """0: no limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._unfinished: dict[DeadlineConnection, None] = {}
        """The connections with a request that is not answered yet, the oldest request first."""
        self._waiting: dict[str, deque[DeadlineConnection]] = {}
        """The connections of each address that wait for a thread."""

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its first byte without a thread."""
        try:
            sock, peer = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        conn = DeadlineConnection(self.cfg, sock, peer, listener.getsockname())
        limit = self.connections_per_address
        if limit and self._open[conn.customer] >= limit:
            conn.close()
            return
        self.nr_conns += 1
        self._open[conn.customer] += 1
        conn.on_close = partial(_decrement, self._open)
        conn.timeout = time.monotonic() + self.request_s
        self.pending_conns.append(conn)
        self.poller.register(sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: DeadlineConnection) -> None:
        """Start a thread for a readable connection, or queue it behind others of its address."""
        conn.request_began, conn.thread_began = time.monotonic(), float("inf")
        self._unfinished[conn] = None
        if self.threads_per_address and self._busy[conn.customer] >= self.threads_per_address:
            self._waiting.setdefault(conn.customer, deque()).append(conn)
        else:
            self._give_thread(conn)

    def _give_thread(self, conn: DeadlineConnection) -> None:
        conn.thread_began = time.monotonic()
        self._busy[conn.customer] += 1
        super().enqueue_req(conn)

    def handle(self, conn: DeadlineConnection) -> Any:  # noqa: ANN401
        """Answer a request; then wait for the sender to close, here and not in the main loop."""
        keep = super().handle(conn)
        if not keep:
            close_graceful(conn.sock)
        return keep

    def finish_request(self, conn: DeadlineConnection, fs: Any) -> None:  # noqa: ANN401
        """Take the thread from a connection, and give one to the next connection of its address."""
        self._unfinished.pop(conn, None)
        _decrement(self._busy, conn.customer)
        if waiting := self._waiting.get(conn.customer):
            self._give_thread(waiting.popleft())
            if not waiting:
                del self._waiting[conn.customer]
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Cut off slow connections; gunicorn's main loop calls this every second, also at a stop.

        Linux still delivers the data that arrived before the cut.
        """
        now = time.monotonic()
        if not self.alive:  # connections that have sent nothing don't delay the stop
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, now + _IDLE_AT_STOP_S)
        super().murder_pending()
        self._cut_off(now)

    def _cut_off(self, now: float) -> None:
        for conn in self._unfinished:
            if now - conn.request_began < self.request_s:
                break
            unread = now - conn.thread_began >= 2 * self.request_s
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR if unread else socket.SHUT_RD)


def _decrement(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if counts[name] <= 0:
        del counts[name]


def request_deadline_worker(
    request_s: float, threads_per_address: int = 0, connections_per_address: int = 0
) -> type[RequestDeadlineWorker]:
    """Return a worker class with these limits: gunicorn creates workers without arguments."""
    limits = {
        "request_s": request_s,
        "threads_per_address": threads_per_address,
        "connections_per_address": connections_per_address,
    }
    return type("RequestDeadlineWorker", (RequestDeadlineWorker,), limits)
