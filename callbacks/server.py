"""Run the app under gunicorn, which is configured here and not by its own files or variables."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from callbacks.app import create_app
from callbacks.operations.access import PUBLIC, OperatorAccess
from callbacks.operations.metrics import count_into
from callbacks.operations.metrics_folder import metrics_folder
from callbacks.request_deadline_worker import request_deadline_worker
from config.brand import read_brand
from config.settings import Settings
from satyapan.settings.declaration import PREFIX, SettingFault, SettingsError

THREADS: Final = 8
CONNECTIONS: Final = 800
"""Open connections of a process; with Redis' and files, below the usual limit of 1,024."""
THREADS_PER_ADDRESS: Final = 2
"""Threads that one address may have in a process, unless it is a proxy's."""
CONNECTIONS_PER_ADDRESS: Final = 250
GRACE_S: Final = 20
"""Seconds that running requests get at a stop; longer than every wait for Redis."""
_OPS_BIND: Final = f"{PREFIX}CALLBACKS_OPS_BIND"
_MESSAGES_WITH_REQUESTS: Final = ("Invalid request", "Error handling request")
"""Starts of gunicorn's messages that repeat a request."""

log: Final = logging.getLogger(__name__)


def serve(settings: Settings, bind: str, ops_bind: str, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; log the addresses once it listens.

    `ops_bind` is the operators' address, "" for none, or "public".

    Raises:
        SettingsError: both addresses have the same port, or the brand's logo can't be used.
    """
    separate = ops_bind not in {"", PUBLIC}
    if separate and _port(ops_bind) == _port(bind) != "0":
        text = "needs another port than the public address."
        raise SettingsError([SettingFault(_OPS_BIND, text)])
    options = _options(settings, [bind, ops_bind] if separate else [bind], workers)
    with metrics_folder() as folder:
        count_into(folder)
        # Before the fork, so that a bad logo prevents the start.
        brand = read_brand(settings.callbacks)

        def build_app() -> Flask:
            """Build a worker's app after the fork: connections must not cross one."""
            return create_app(settings, folder, OperatorAccess(ops_bind == PUBLIC, ops_port), brand)

        ops_port = 0

        def ready(arbiter: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
            nonlocal ops_port
            ops_port = _log_addresses(arbiter)

        _GunicornApplication(build_app, {**options, "when_ready": ready}).run()


def _port(bind: str) -> str:
    return bind.rpartition(":")[2]


def address(host: str, port: int) -> str:
    """Return host and port as they are written in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(settings: Settings, bind: list[str], workers: int) -> dict[str, Any]:
    hooks = settings.callbacks
    limits = () if hooks.proxies else (THREADS_PER_ADDRESS, CONNECTIONS_PER_ADDRESS)
    return {
        "bind": bind,
        "workers": workers,
        "worker_class": request_deadline_worker(hooks.request_s, *limits),
        "worker_connections": CONNECTIONS,
        "threads": THREADS,
        # No proxy sets the app's path or the scheme, not even one on this machine.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "header_map": "drop",
        "graceful_timeout": GRACE_S,
        "proc_name": f"{settings.producer.prefix}-callbacks",
        "accesslog": None,  # paths hold return tokens
        "errorlog": None,
        "logger_class": _ServerLog,
        "loglevel": "warning",
        "control_socket_disable": True,
    }


def _log_addresses(arbiter: Any) -> int:  # noqa: ANN401 - gunicorn ships no types
    """Log the addresses; return the port of the operators' address, 0 if there is none."""
    names = [listener.sock.getsockname()[:2] for listener in arbiter.LISTENERS]
    for what, (host, port) in zip(("callbacks", "operations"), names, strict=False):
        log.info("%s listening on http://%s", what, address(host, port))
    return int(names[1][1]) if len(names) > 1 else 0


class _ServerLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn's log as part of ours, without text that strangers wrote into request lines."""

    def __init__(self, cfg: object) -> None:
        super().__init__(cfg)
        self.error_log.propagate = True
        self.error_log.addFilter(_remove_requests)


def _remove_requests(record: logging.LogRecord) -> bool:
    for phrase in _MESSAGES_WITH_REQUESTS:
        if str(record.msg).startswith(phrase):
            record.msg, record.args = phrase, ()
    return True


class _GunicornApplication(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    def __init__(self, build_app: Callable[[], Flask], options: Mapping[str, Any]) -> None:
        self._build_app = build_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._build_app()
