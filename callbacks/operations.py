"""Paths for operators only: metrics and the OpenAPI description."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

from callbacks.problems import problem

PATHS: Final = frozenset(["/metrics", "/openapi.json"])
PUBLIC: Final = "public"
"""The value of SATYAPAN_CALLBACKS_OPS_BIND that opens them on the public address."""


@dataclass(frozen=True)
class Operations:
    """Distinguishes requests to the operations' address from those to the public one."""

    public: bool = False
    port: int = 0
    """The port of the operations' address; 0: there is none."""

    def here(self) -> bool:
        """Return True if this request may see operations, by its socket and not by its headers."""
        sock = request.environ.get("gunicorn.socket")
        name = sock.getsockname() if sock is not None and self.port else ""
        return self.public or (isinstance(name, tuple) and name[1] == self.port)

    def keep_apart(self, app: Flask) -> None:
        """Answer strangers as if there were no such paths."""

        @app.before_request
        def refuse() -> Response | None:
            asked = request.path.rstrip("/") in PATHS
            return problem(404) if asked and not self.here() else None
