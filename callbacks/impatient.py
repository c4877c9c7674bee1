"""A gunicorn worker that a slow sender can't hold: a request has to arrive within a set time."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class ImpatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn's threaded worker, which by itself waits for a request's next byte for ever.

    Every second the main thread shuts the reading side of sockets that took longer than
    `request_s`. The blocked thread then finds that the sender has gone.
    """

    request_s = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun: dict[Any, float] = {}
        self._lock = threading.Lock()

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 - gunicorn ships no types
        """Handle a request, known to the main thread while it is under way."""
        with self._lock:
            self._begun[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                del self._begun[conn]

    def murder_pending(self) -> None:
        """Cut off who is too slow; gunicorn's main loop comes by every second, at the end too."""
        super().murder_pending()
        latest = time.monotonic() - self.request_s
        with self._lock:
            for conn, begun in self._begun.items():
                if begun < latest:
                    with suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RD)


def impatient(request_s: float) -> type[ImpatientWorker]:
    """Make the worker class for a time; gunicorn makes the workers and passes nothing of ours."""
    return type("ImpatientWorker", (ImpatientWorker,), {"request_s": request_s})
