"""Build the Flask application from its parts and add the routes."""

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from sandbox.calls import serve
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.control import control
from sandbox.definitions.loading import load_operations
from sandbox.definitions.model import Operations, VendorOperation
from sandbox.engine.person_pages import person_pages
from sandbox.errors import invalid
from sandbox.faults import Faults
from sandbox.ids import Ids, RandomIds
from sandbox.index_page import index_page
from sandbox.journey_pages import journey_pages
from sandbox.python_answers import PYTHON_ANSWERS
from sandbox.quota import Quota
from sandbox.records import Records
from sandbox.state import VendorState
from sandbox.vendor import EmulatedVendor
from sandbox.webhooks import Webhooks

PREFIX = "/verification"
EXTENSION = "sandbox"


class UnknownQuota(ValueError):
    """A quota is set for an operation that doesn't exist."""


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
    for operation in vendor.operations:
        _add_route(app, vendor, operation)
    for pages in (index_page(vendor, PREFIX), journey_pages(vendor), person_pages(vendor)):
        app.register_blueprint(pages)
    app.register_blueprint(control(vendor))
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(MethodNotAllowed, _method_not_allowed)
    return app


def _vendor(config: SandboxConfig, clock: Clock, ids: Ids) -> EmulatedVendor:
    operations = load_operations(PYTHON_ANSWERS, [Path(each) for each in config.operations])
    return EmulatedVendor(
        config=config,
        operations=operations,
        clock=clock,
        ids=ids,
        state=VendorState(),
        quota=Quota(_limits(operations, config), config.quota_window_s, clock.steady),
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


def _limits(operations: Operations, config: SandboxConfig) -> dict[str, int]:
    limits = operations.quotas()
    for name, limit in config.quotas.items():
        if name not in limits:
            raise UnknownQuota(f"unknown route {name}; routes: {', '.join(limits)}")
        limits[name] = limit
    return limits


def _add_route(app: Flask, vendor: EmulatedVendor, operation: VendorOperation) -> None:
    def view(**of_path: str) -> Response:
        return serve(vendor, operation, request, of_path)

    app.add_url_rule(
        PREFIX + operation.path.replace("{", "<").replace("}", ">"),
        operation.name,
        view,
        methods=[operation.method],
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
