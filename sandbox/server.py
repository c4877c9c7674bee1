"""A threaded server for the sandbox that can also refuse connections for a while."""

import threading
import time
from typing import Any, cast

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from sandbox.app import EXTENSION
from sandbox.control import SERVER_EXTENSION
from sandbox.engine.progress import expire
from sandbox.vendor import EmulatedVendor

POLL_S = 0.05


class _QuietHandler(WSGIRequestHandler):
    """Handles requests without logging them."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        """Log nothing: paths contain ids."""


class _ExpiringServer(ThreadedWSGIServer):
    """Sends the webhooks of what has expired, between requests."""

    def service_actions(self) -> None:
        """Send webhooks that have become due without a call."""
        vendor: EmulatedVendor = cast("Flask", self.app).extensions[EXTENSION]
        expire(vendor)


class SandboxServer:
    """Serves an application until it is stopped."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        """Bind to ``host``; port 0 takes a free one."""
        self._app = app
        self._server = _ExpiringServer(host, port, app, handler=_QuietHandler)
        self.host = host
        self.port = self._server.port
        self._pause_s: float | None = None
        self._closed = threading.Event()
        app.extensions[SERVER_EXTENSION] = self

    def serve(self) -> None:
        """Serve until interrupted; connections are closed on return."""
        while True:
            self._server.serve_forever(poll_interval=POLL_S)
            self._closed.set()
            if self._pause_s is None:
                return
            time.sleep(self._pause_s)
            self._pause_s = None
            self._closed.clear()
            self._server = _ExpiringServer(self.host, self.port, self._app, handler=_QuietHandler)

    def refuse(self, seconds: float) -> None:
        """Close the port for ``seconds``: the system then refuses every connection."""
        self._pause_s = seconds
        self._server.shutdown()
        self._closed.wait(timeout=5)

    def stop(self) -> None:
        """Make ``serve`` return; call it from another thread."""
        self._server.shutdown()
