"""What is for whoever runs the installation, and not for strangers: counts, and how it is made."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

from callbacks.problems import problem

PATHS: Final = frozenset(["/metrics", "/openapi.json"])
PUBLIC: Final = "public"
"""The value of SATYAPAN_CALLBACKS_OPS_BIND that opens them on the public address."""


@dataclass(frozen=True)
class Operations:
    """Tells visitors of the operations' address from those of the public one."""

    public: bool = False
    port: int = 0
    """The port of the operations' address; 0: there is none."""

    def here(self) -> bool:
        """Return True if this request may see operations. Its socket says so, not its headers."""
        sock = request.environ.get("gunicorn.socket")
        name = sock.getsockname() if sock is not None and self.port else ""
        return self.public or (isinstance(name, tuple) and name[1] == self.port)

    def keep_apart(self, app: Flask) -> None:
        """Answer strangers as if there were no such paths."""

        @app.before_request
        def refuse() -> Response | None:
            asked = request.path.rstrip("/") in PATHS
            return problem(404) if asked and not self.here() else None
