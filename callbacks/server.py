"""Runs the app under gunicorn, configured here and not by files or variables of gunicorn's own."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from callbacks.app import create_app
from callbacks.counts import counts_folder
from callbacks.impatient import impatient
from callbacks.metrics import share
from config.brand import read_brand
from config.settings import Settings

THREADS: Final = 8
GRACE_S: Final = 20
"""Seconds that running requests get at the end; longer than every wait for Redis."""
log: Final = logging.getLogger(__name__)
_WITH_ADDRESSES: Final = ("Invalid request", "Error handling request")


def serve(settings: Settings, bind: str, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; log the address once it listens."""
    with counts_folder() as counts:
        share(counts)
        # Each worker builds its own app after the fork: connections must not cross one. The logo is
        # read before it, so that a bad one refuses the start and no worker misses it later.
        make = partial(create_app, settings, counts, read_brand(settings.callbacks))
        _Server(make, _options(settings, bind, workers)).run()


def address(host: str, port: int) -> str:
    """Write host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(settings: Settings, bind: str, workers: int) -> dict[str, Any]:
    return {
        "bind": bind,
        "workers": workers,
        "worker_class": impatient(settings.callbacks.request_s),
        "threads": THREADS,
        "graceful_timeout": GRACE_S,
        "proc_name": f"{settings.producer.prefix}-callbacks",
        "accesslog": None,  # paths hold return tokens
        "errorlog": None,
        "logger_class": _ServerLog,
        "loglevel": "warning",
        "control_socket_disable": True,
        "when_ready": _say_address,
    }


def _say_address(arbiter: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
    log.info("callbacks listening on http://%s", address(host, port))


class _ServerLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn's log as part of ours, without what strangers wrote into request lines."""

    def __init__(self, cfg: object) -> None:
        super().__init__(cfg)
        self.error_log.propagate = True
        self.error_log.addFilter(_anonymous)


def _anonymous(record: logging.LogRecord) -> bool:
    for phrase in _WITH_ADDRESSES:
        if str(record.msg).startswith(phrase):
            record.msg, record.args = phrase, ()
    return True


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    def __init__(self, make: Callable[[], Flask], options: Mapping[str, Any]) -> None:
        self._make = make
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make()
