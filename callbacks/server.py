"""Runs the app under gunicorn, configured here and not by files or variables of gunicorn's own."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from callbacks.app import create_app
from callbacks.counts import counts_folder
from callbacks.impatient import impatient
from callbacks.metrics import share
from callbacks.operations import PUBLIC, Operations
from config.brand import read_brand
from config.settings import Settings, SettingsError
from satyapan.environment import PREFIX, SettingFault

THREADS: Final = 8
CONNECTIONS: Final = 800
"""Connections that a process holds open; with Redis' and files, below the usual limit of 1,024."""
PER_ADDRESS: Final = 2
"""Threads that one address may have in a process, unless it is a proxy's."""
OPEN_PER_ADDRESS: Final = 250
GRACE_S: Final = 20
"""Seconds that running requests get at the end; longer than every wait for Redis."""
_OPS_BIND: Final = f"{PREFIX}CALLBACKS_OPS_BIND"
log: Final = logging.getLogger(__name__)
_WITH_ADDRESSES: Final = ("Invalid request", "Error handling request")


def serve(settings: Settings, bind: str, ops_bind: str, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; log the addresses once it listens.

    `ops_bind` is the address for operations, "" for none, or "public".
    """
    apart = ops_bind not in {"", PUBLIC}
    if apart and _port(ops_bind) == _port(bind) != "0":
        text = "needs another port than the public address."
        raise SettingsError([SettingFault(_OPS_BIND, text)])
    options = _options(settings, [bind, ops_bind] if apart else [bind], workers)
    with counts_folder() as counts:
        share(counts)
        # Before the fork, so that a bad logo refuses the start and no worker misses it later.
        brand = read_brand(settings.callbacks)

        def make() -> Flask:
            """Build a worker's app after the fork: connections must not cross one."""
            operations = Operations(ops_bind == PUBLIC, ops_port)
            return create_app(settings, counts, operations, brand)

        ops_port = 0

        def ready(arbiter: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
            nonlocal ops_port
            ops_port = _say_addresses(arbiter)

        _Server(make, {**options, "when_ready": ready}).run()


def _port(bind: str) -> str:
    return bind.rpartition(":")[2]


def address(host: str, port: int) -> str:
    """Write host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(settings: Settings, bind: list[str], workers: int) -> dict[str, Any]:
    hooks = settings.callbacks
    bounds = () if hooks.proxies else (PER_ADDRESS, OPEN_PER_ADDRESS)
    return {
        "bind": bind,
        "workers": workers,
        "worker_class": impatient(hooks.request_s, *bounds),
        "worker_connections": CONNECTIONS,
        "threads": THREADS,
        # Nobody in front of us sets the app's path or the scheme, not even on this machine.
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


def _say_addresses(arbiter: Any) -> int:  # noqa: ANN401 - gunicorn ships no types
    """Say where it listens; return the port for operations, 0 if there is none."""
    names = [listener.sock.getsockname()[:2] for listener in arbiter.LISTENERS]
    for what, (host, port) in zip(("callbacks", "operations"), names, strict=False):
        log.info("%s listening on http://%s", what, address(host, port))
    return int(names[1][1]) if len(names) > 1 else 0


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
