"""Restrict operators' paths (metrics, the OpenAPI document) to the operators' address."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

from callbacks.problems import problem

PATHS: Final = frozenset(["/metrics", "/openapi.json"])
PUBLIC: Final = "public"
"""The value of SATYAPAN_CALLBACKS_OPS_BIND that serves them on the public address."""


@dataclass(frozen=True)
class OperatorAccess:
    """Decides whether a request may see what is for operators only."""

    public: bool = False
    """Whether every request may."""
    port: int = 0
    """The port of the operators' address; 0: there is none."""

    def allowed(self) -> bool:
        """Return True if the current request may, by its socket and not by its headers."""
        sock = request.environ.get("gunicorn.socket")
        name = sock.getsockname() if sock is not None and self.port else ""
        return self.public or (isinstance(name, tuple) and name[1] == self.port)

    def protect(self, app: Flask) -> None:
        """Answer 404 on operators' paths to all other requests, as for an unknown path."""

        @app.before_request
        def refuse() -> Response | None:
            restricted = request.path.rstrip("/") in PATHS
            return problem(404) if restricted and not self.allowed() else None
