"""Puts the callbacks app together from settings: the one place where its parts are chosen."""

import logging
import time
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound

from callbacks.health import health
from callbacks.looks import Looks
from callbacks.pages import Pages
from callbacks.problems import problem
from callbacks.returns import returns
from callbacks.verifiers.cashfree import CashfreeVerifier
from callbacks.webhooks import webhooks
from config.inbox import Inbox
from config.settings import CashfreeSettings, Settings
from config.stores import ledger_client
from config.tokens import ReturnTokens
from satyapan.broker import Waker, wake_app
from satyapan.ledger import Ledger
from satyapan.names import Keys

log: Final = logging.getLogger(__name__)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def create_app(settings: Settings) -> Flask:
    """Build the app; connections open at first use, so build it after any fork."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.callbacks.max_webhook_bytes
    # A redirect to the tidier path would count as a failed webhook.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    pages = Pages()
    _register(app, settings, pages)
    _answer_errors(app, pages)
    _protect(app, pages.policy)
    return app


def _register(app: Flask, settings: Settings, pages: Pages) -> None:
    hooks, shared = settings.callbacks, settings.producer
    redis = ledger_client(settings, "callbacks")
    keys, ring = Keys(shared.prefix), shared.ring()
    waker = Waker(wake_app(shared))
    inbox = Inbox(redis, keys, ring, settings.retention.inbox_s * 1000)
    tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s)
    ledger, looks = Ledger(redis, keys, ring), Looks(redis, keys, waker)
    verifiers = {"cashfree": _cashfree(settings.vendor)}
    app.register_blueprint(returns(tokens, ledger, looks, pages, hooks.return_hosts))
    app.register_blueprint(webhooks(verifiers, inbox, waker, hooks.max_webhook_bytes))
    app.register_blueprint(health(redis))


def _cashfree(vendor: CashfreeSettings) -> CashfreeVerifier:
    secrets = [secret.reveal() for secret in vendor.webhook_secrets]
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
        return pages.show("unavailable", 500) if request.endpoint == _PEOPLE else problem(500)


_PEOPLE: Final = "returns.come_back"


def _protect(app: Flask, policy: str) -> None:
    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.update({**_HEADERS, "Content-Security-Policy": policy})
        return answer
