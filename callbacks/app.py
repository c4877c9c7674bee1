"""Build the web app from settings: the one place where its parts are chosen."""

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

from callbacks.openapi import openapi
from callbacks.operations.access import PUBLIC, OperatorAccess
from callbacks.operations.ledger_collector import LedgerCollector
from callbacks.operations.metrics import Metrics
from callbacks.operations.readiness import ReadinessHandler, operations
from callbacks.problems import problem
from callbacks.returns.handler import PAGE_ENDPOINT, ReturnHandler, returns
from callbacks.returns.pages import Pages
from callbacks.webhooks.handler import WebhookHandler, webhooks
from callbacks.webhooks.sender_limits import SenderLimits
from callbacks.webhooks.verifiers import Verifier
from callbacks.webhooks.verifiers.cashfree import CashfreeVerifier
from callbacks.webhooks.verifiers.cashfree_body import CashfreeBodyVerifier
from config.brand import Brand, read_brand
from config.redis_clients import broker_client, ledger_client
from config.servers import check_server
from config.settings import CashfreeSettings, Settings
from config.validators import route_names
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.kinds import Registry
from satyapan.ledger.ledger import Ledger
from satyapan.names import Keys
from shared.inbox.inbox import Inbox
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
    metrics_folder: Path | None = None,
    access: OperatorAccess | None = None,
    brand: Brand | None = None,
) -> Flask:
    """Build the app. Connections open at first use, so build it after any fork.

    `metrics_folder` is the folder in which several processes count together. `access` says which
    requests may see what is for operators; by default, what the settings say. `brand` is shown on
    the pages; by default it is read here from the settings.

    Raises:
        SettingsError: the brand's logo can't be used.
    """
    access = access or OperatorAccess(settings.callbacks.ops_bind == PUBLIC)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.callbacks.max_webhook_bytes
    # The vendor would count a redirect to the canonical path as a failed webhook.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    pages = Pages(brand or read_brand(settings.callbacks))
    access.protect(app)
    _Handlers(settings, pages, metrics_folder, access).register(app)
    _answer_errors(app, pages)
    _add_headers(app, pages.policy)
    _trust_proxies(app, settings.callbacks.proxies)
    return app


class _Handlers:
    """Builds the handlers and what they have in common."""

    def __init__(
        self, settings: Settings, pages: Pages, metrics_folder: Path | None, access: OperatorAccess
    ) -> None:
        self._settings = settings
        self._access = access
        self._pages = pages
        self._redis: Redis = ledger_client(settings, "callbacks")
        self._keys = Keys(settings.producer.prefix)
        self._waker = Waker(wake_app(settings.producer))
        self._kinds = Registry.with_plugins(settings.producer.kinds)
        self._metrics = Metrics(metrics_folder, self._collector())

    def register(self, app: Flask) -> None:
        """Add every route."""
        app.register_blueprint(returns(self._returns()))
        app.register_blueprint(webhooks(self._webhooks()))
        app.register_blueprint(operations(self._readiness(), self._metrics))
        app.register_blueprint(openapi())

    def _collector(self) -> LedgerCollector:
        routes = partial(route_names, self._kinds)
        window_ms = self._settings.quota.window_s * 1000
        kinds = self._kinds.names
        return LedgerCollector(self._redis, self._keys, routes, window_ms, kinds)

    def _readiness(self) -> ReadinessHandler:
        return ReadinessHandler(
            check=partial(check_server, self._settings, self._redis),
            ledger=self._redis,
            broker=broker_client(self._settings),
            keys=self._keys,
            access=self._access,
        )

    def _returns(self) -> ReturnHandler:
        hooks, producer = self._settings.callbacks, self._settings.producer
        return ReturnHandler(
            tokens=ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s),
            ledger=Ledger(self._redis, self._keys, producer.ring()),
            redis=self._redis,
            keys=self._keys,
            waker=self._waker,
            pages=self._pages,
            return_hosts=frozenset(producer.return_hosts),
            kinds=self._kinds,
            metrics=self._metrics,
        )

    def _webhooks(self) -> WebhookHandler:
        hooks, producer = self._settings.callbacks, self._settings.producer
        life_ms = self._settings.retention.inbox_s * 1000
        ring, id_key = producer.ring(), producer.id_key_bytes()
        return WebhookHandler(
            verifiers={"cashfree": _cashfree(self._settings.vendor)},
            sender_limits=SenderLimits(hooks.vendor_addresses, hooks.refusals_per_minute),
            inbox=Inbox(self._redis, self._keys, ring, life_ms, id_key),
            kinds=self._kinds,
            waker=self._waker,
            metrics=self._metrics,
            max_bytes=hooks.max_webhook_bytes,
            accept_unsigned_probe=hooks.unsigned_probe == "accept",
        )


def _cashfree(vendor: CashfreeSettings) -> Verifier:
    secrets: Sequence[str] = [secret.reveal() for secret in vendor.webhook_secrets]
    if vendor.webhook_scheme == "body":
        return CashfreeBodyVerifier(secrets)
    return CashfreeVerifier(secrets, vendor.webhook_tolerance_s, time.time)


def _answer_errors(app: Flask, pages: Pages) -> None:
    """Answer errors with a page for people or a problem document for programs; no traceback."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        if isinstance(error, NotFound) and request.path.startswith("/return/"):
            return pages.show("unknown", 404)
        response = problem(error.code or 500)
        response.headers.extend((n, v) for n, v in error.get_headers() if n == "Allow")
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        # Flask's own log line would contain the path, and with it the token.
        log.error("request failed", exc_info=error)
        to_a_person = request.endpoint == PAGE_ENDPOINT
        return pages.show("unavailable", 500) if to_a_person else problem(500)


def _add_headers(app: Flask, policy: str) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update({**_HEADERS, "Content-Security-Policy": policy})
        return response


def _trust_proxies(app: Flask, proxies: int) -> None:
    """Read the sender's address from X-Forwarded-For, which this many proxies have extended."""
    if proxies:
        fix = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)
        app.wsgi_app = fix  # type: ignore[method-assign] # as Flask's manual does it
