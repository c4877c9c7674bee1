"""The sandbox on a socket: a threaded server that can also refuse connections for a while."""

import threading
import time
from typing import Any, cast

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from sandbox.app import EXTENSION
from sandbox.control import LISTENER
from sandbox.vendor import Vendor

POLL_S = 0.05


class _QuietHandler(WSGIRequestHandler):
    """Serve without a line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        """Write nothing: addresses carry ids."""


class _Server(ThreadedWSGIServer):
    """Announce what has expired whenever there is a moment."""

    def service_actions(self) -> None:
        """Let time pass for journeys without a call."""
        vendor: Vendor = cast("Flask", self.app).extensions[EXTENSION]
        vendor.expire()


class Listener:
    """Serve an application until stopped."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        """Bind to ``host``; port 0 takes a free one."""
        self._app = app
        self._server = _Server(host, port, app, handler=_QuietHandler)
        self.host = host
        self.port = self._server.port
        self._pause_s: float | None = None
        self._closed = threading.Event()
        app.extensions[LISTENER] = self

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
            self._server = _Server(self.host, self.port, self._app, handler=_QuietHandler)

    def refuse(self, seconds: float) -> None:
        """Close the port for ``seconds``: every connection is then refused by the system."""
        self._pause_s = seconds
        self._server.shutdown()
        self._closed.wait(timeout=5)

    def stop(self) -> None:
        """Make ``serve`` return; call it from another thread."""
        self._server.shutdown()
