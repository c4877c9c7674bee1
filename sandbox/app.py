"""Build the Flask application from its parts and add the routes."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from sandbox import digilocker, forms, passport
from sandbox.calls import ApiRoute, serve
from sandbox.clock import Clock
from sandbox.config import QUOTAS, SandboxConfig
from sandbox.control import control
from sandbox.errors import invalid
from sandbox.faults import Faults
from sandbox.ids import Ids, RandomIds
from sandbox.journey_pages import journey_pages
from sandbox.quota import Quota
from sandbox.records import Records
from sandbox.state import VendorState
from sandbox.vendor import EmulatedVendor
from sandbox.webhooks import Webhooks

PREFIX = "/verification"
EXTENSION = "sandbox"

ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("passport", "POST", "/passport", passport.verify),
    ApiRoute("digilocker", "POST", "/digilocker", digilocker.create),
    ApiRoute("digilocker_status", "GET", "/digilocker", digilocker.read_status),
    ApiRoute("digilocker_document", "GET", "/digilocker/document/<document>", digilocker.document),
    ApiRoute("static_link", "POST", "/form/static-link", forms.create),
    ApiRoute("static_link_delete", "DELETE", "/form/static-link", forms.deactivate),
    ApiRoute("form_status", "GET", "/form", forms.read_status),
)


def create_app(
    config: SandboxConfig,
    clock: Callable[[], float] = time.time,
    ids: Ids | None = None,
) -> Flask:
    """Return a new sandbox with its own state, which is in ``app.extensions["sandbox"]``.

    ``clock`` returns Unix seconds. Webhooks about an expiry are sent when the control routes move
    the clock and, if ``sandbox.server`` runs the app, as time passes.
    """
    vendor = _vendor(config, Clock(clock), ids or RandomIds())
    app = Flask("sandbox", static_folder=None)
    app.extensions[EXTENSION] = vendor
    for route in ROUTES:
        _add_route(app, vendor, route)
    app.register_blueprint(journey_pages(vendor))
    app.register_blueprint(control(vendor))
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(MethodNotAllowed, _method_not_allowed)
    return app


def _vendor(config: SandboxConfig, clock: Clock, ids: Ids) -> EmulatedVendor:
    return EmulatedVendor(
        config=config,
        clock=clock,
        ids=ids,
        state=VendorState(),
        quota=Quota({**QUOTAS, **config.quotas}, config.quota_window_s, clock.steady),
        faults=Faults(),
        records=Records(config.audit_file),
        webhooks=Webhooks(
            config.webhook_url,
            config.accounts,
            clock.steady,
            attempts=config.webhook_attempts,
            backoff_s=config.webhook_backoff_s,
        ),
    )


def _add_route(app: Flask, vendor: EmulatedVendor, route: ApiRoute) -> None:
    def view(document: str = "") -> Response:
        return serve(vendor, route, request, document)

    app.add_url_rule(
        PREFIX + route.path,
        route.name,
        view,
        methods=[route.method],
        provide_automatic_options=False,
    )


def _not_found(error: NotFound) -> Any:  # noqa: ANN401 - Flask's own return type
    """Answer 404 with an empty body, as the vendor does for products that are not enabled."""
    if request.path.startswith(PREFIX):
        return Response(status=HTTPStatus.NOT_FOUND)
    return error


def _method_not_allowed(error: MethodNotAllowed) -> Response:
    refusal = invalid("method_not_allowed", "Method not allowed", HTTPStatus.METHOD_NOT_ALLOWED)
    response = jsonify(refusal.body())
    response.status_code = refusal.status
    response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response
