"""Puts the callbacks app together from settings: the one place where its parts are chosen."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from flask import Flask, Response, request
from redis import Redis
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from callbacks.census import Census
from callbacks.guard import Guard
from callbacks.health import Pulse, health
from callbacks.looks import Looks
from callbacks.metrics import Metrics
from callbacks.openapi import openapi
from callbacks.operations import PUBLIC, Operations
from callbacks.pages import Pages
from callbacks.problems import problem
from callbacks.returns import PEOPLE, Doorstep, returns
from callbacks.verifiers import Verifier
from callbacks.verifiers.cashfree import CashfreeVerifier
from callbacks.verifiers.cashfree_body import CashfreeBodyVerifier
from callbacks.visits import Visits
from callbacks.webhooks import Reception, webhooks
from config.brand import Brand, read_brand
from config.redis_clients import broker_client, ledger_client
from config.rules import route_names
from config.servers import check_server
from config.settings import CashfreeSettings, Settings
from satyapan.broker import Waker, wake_app
from satyapan.kinds import Registry
from satyapan.ledger import Ledger
from satyapan.names import Keys
from satyapan.records import ACCOUNT
from shared.inbox import Inbox
from shared.return_tokens import ReturnTokens

log: Final = logging.getLogger(__name__)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def create_app(
    settings: Settings,
    shared: Path | None = None,
    operations: Operations | None = None,
    brand: Brand | None = None,
) -> Flask:
    """Build the app; connections open at first use, so build it after any fork.

    `shared` is the folder in which several processes count together; `operations` says who may see
    what is not for strangers, by the settings alone unless given. `brand` is what people see; by
    default it is read here, as the settings say.

    Raises:
        SettingsError: the brand's logo can't be used.
    """
    operations = operations or Operations(settings.callbacks.ops_bind == PUBLIC)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.callbacks.max_webhook_bytes
    # A redirect to the tidier path would count as a failed webhook.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    pages = Pages(brand or read_brand(settings.callbacks))
    operations.keep_apart(app)
    _Building(settings, pages, shared, operations).register(app)
    _answer_errors(app, pages)
    _protect(app, pages.policy)
    _trust(app, settings.callbacks.proxies)
    return app


class _Building:
    """What the routes share while they are made."""

    def __init__(
        self, settings: Settings, pages: Pages, shared: Path | None, operations: Operations
    ) -> None:
        self._settings = settings
        self._operations = operations
        self._pages = pages
        self._redis: Redis = ledger_client(settings, "callbacks")
        self._keys = Keys(settings.producer.prefix)
        self._ring = settings.producer.ring()
        self._id_key = settings.producer.id_key_bytes()
        self._waker = Waker(wake_app(settings.producer))
        self._metrics = Metrics(shared, self._census())

    def register(self, app: Flask) -> None:
        """Add every route."""
        check = partial(check_server, self._settings, self._redis)
        pulse = Pulse(check, self._redis, broker_client(self._settings), self._keys)
        app.register_blueprint(returns(self._doorstep()))
        app.register_blueprint(webhooks(self._reception()))
        app.register_blueprint(health(pulse, self._metrics, self._operations))
        app.register_blueprint(openapi())

    def _census(self) -> Census:
        routes = sorted(route_names(self._settings))
        window_ms = self._settings.quota.window_s * 1000
        return Census(self._redis, self._keys, ACCOUNT, routes, window_ms)

    def _doorstep(self) -> Doorstep:
        producer = self._settings.producer
        kinds = Registry.with_plugins(producer.kinds)
        return Doorstep(
            visits=self._visits(),
            pages=self._pages,
            hosts=frozenset(producer.return_hosts),
            onward={kind.name: kind.onward_field for kind in kinds if kind.onward_field},
            metrics=self._metrics,
        )

    def _visits(self) -> Visits:
        hooks = self._settings.callbacks
        tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s)
        ledger = Ledger(self._redis, self._keys, self._ring)
        return Visits(tokens, ledger, Looks(self._redis, self._keys, self._waker, self._metrics))

    def _reception(self) -> Reception:
        hooks, life_ms = self._settings.callbacks, self._settings.retention.inbox_s * 1000
        return Reception(
            verifiers={"cashfree": _cashfree(self._settings.vendor)},
            guard=Guard(hooks.vendor_addresses, hooks.refusals_per_minute),
            inbox=Inbox(self._redis, self._keys, self._ring, life_ms, self._id_key),
            waker=self._waker,
            metrics=self._metrics,
            most_bytes=hooks.max_webhook_bytes,
            takes_probe=hooks.unsigned_probe == "accept",
        )


def _cashfree(vendor: CashfreeSettings) -> Verifier:
    secrets: Sequence[str] = [secret.reveal() for secret in vendor.webhook_secrets]
    if vendor.webhook_scheme == "body":
        return CashfreeBodyVerifier(secrets)
    return CashfreeVerifier(secrets, vendor.webhook_tolerance_s, time.time)


def _answer_errors(app: Flask, pages: Pages) -> None:
    """Answer people with a page, programs with a problem document, neither with a traceback."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        if isinstance(error, NotFound) and request.path.startswith("/return/"):
            return pages.show("unknown", 404)
        answer = problem(error.code or 500)
        answer.headers.extend((n, v) for n, v in error.get_headers() if n == "Allow")
        return answer

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        # Flask's own log line would hold the path, and in it the token.
        log.error("request failed", exc_info=error)
        return pages.show("unavailable", 500) if request.endpoint == PEOPLE else problem(500)


def _protect(app: Flask, policy: str) -> None:
    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.update({**_HEADERS, "Content-Security-Policy": policy})
        return answer


def _trust(app: Flask, proxies: int) -> None:
    """Take the sender's address from so many proxies in front; from the connection if from none."""
    if proxies:
        fix = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)
        app.wsgi_app = fix  # type: ignore[method-assign] # as Flask's manual does it
