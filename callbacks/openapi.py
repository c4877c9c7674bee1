"""The OpenAPI 3.1 document, generated from the app's routes and served at `/openapi.json`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from apispec import APISpec
from flask import Blueprint, Flask, current_app, jsonify
from werkzeug.routing import Rule

VERSION: Final = "1"
_PARAMETER: Final = re.compile(r"<(\w+)>")


def openapi() -> Blueprint:
    """Build the blueprint of the document."""
    blueprint = Blueprint("openapi", __name__)

    blueprint.get("/openapi.json", endpoint="document")(lambda: jsonify(describe(current_app)))
    return blueprint


def describe(app: Flask) -> dict[str, Any]:
    """Return the document: every route of the app, with its endpoint's description from below.

    Raises:
        KeyError: a route has no description.
    """
    spec = APISpec("Satyapan callbacks", VERSION, "3.1.0", info={"description": _ABOUT})
    for name, schema in _SCHEMAS.items():
        spec.components.schema(name, schema)
    for rule in app.url_map.iter_rules():
        method = (rule.methods or set()).difference({"HEAD", "OPTIONS"}).pop().lower()
        spec.path(_PARAMETER.sub(r"{\1}", rule.rule), operations={method: _operation(rule)})
    found: dict[str, Any] = spec.to_dict()
    return found


def _operation(rule: Rule) -> dict[str, Any]:
    described = _ENDPOINTS[rule.endpoint]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(rule.rule)
    ]
    return {
        **described,
        "operationId": rule.endpoint,
        "parameters": [*parameters, *described.get("parameters", [])],
        "responses": {"500": _problem("Internal error."), **described["responses"]},
    }


def _response(description: str, media: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


def _json(description: str, name: str) -> dict[str, Any]:
    return _response(description, "application/json", _ref(name))


def _problem(description: str) -> dict[str, Any]:
    return _response(description, "application/problem+json", _ref("Problem"))


def _page(description: str) -> dict[str, Any]:
    return _response(description, "text/html", {"type": "string"})


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_ABOUT: Final = (
    "The public routes: for people who come back from the vendor, for the vendor's webhooks, and "
    "for the operators' probes."
)
_TEXT: Final = {"type": "string"}
_SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457; it repeats nothing of the request.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"const": "about:blank"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
        },
        "additionalProperties": False,
    },
    "Live": _object(status={"const": "ok"}),
    "Ready": _object(
        status={"const": "ready"},
        ledger={"const": "ok"},
        broker={"enum": ["ok", "no answer"]},
        worker_age_s={
            "type": ["number", "null"],
            "description": "Seconds since a worker last swept; null: none has for a long time.",
        },
    )
    | {
        "description": "On the public address it has the status only.",
        "required": ["status"],
    },
    "Received": _object(status={"enum": ["stored", "outdated", "forgotten", "probe"]}),
    "State": _object(
        page={
            "enum": [
                *("confirming", "slow", "received", "nothing_shared"),
                *("declined", "expired", "later"),
            ]
        },
        settled={"type": "boolean", "description": "Whether the page is final."},
        title=_TEXT,
        text=_TEXT,
    ),
    "Event": {
        "type": "object",
        "description": "As the vendor documents it; any JSON with a valid signature is stored.",
        "properties": {"event_type": _TEXT, "event_time": _TEXT, "data": {"type": "object"}},
    },
}
_NOT_FOUND: Final = _problem("The request came to another address than the operators'.")
_LANG: Final = {"name": "lang", "in": "query", "required": False, "schema": _TEXT}
_SIGNED: Final = [
    {"name": name, "in": "header", "required": True, "schema": _TEXT}
    for name in ("x-webhook-signature", "x-webhook-timestamp")
]
_ENDPOINTS: Final[Mapping[str, dict[str, Any]]] = {
    "returns.page": {
        "summary": "A person comes back from the vendor.",
        "parameters": [_LANG],
        "responses": {
            "200": _page("The state of the verification."),
            "303": {"description": "Redirect to the producer's page."},
            "404": _page("A token that is forged, expired or unknown."),
            "500": _page("Internal error."),
            "503": _page("The ledger can't be read."),
        },
    },
    "returns.state": {
        "summary": "The texts of the page that a person has open.",
        "parameters": [_LANG],
        "responses": {
            "200": _json("The state of the verification.", "State"),
            "404": _problem("A token that is forged, expired or unknown."),
            "503": _problem("The ledger can't be read."),
        },
    },
    "webhooks.receive": {
        "summary": "The vendor reports a change.",
        "parameters": _SIGNED,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("Event")}},
        },
        "responses": {
            "200": _json("Stored, stored before, or not to be stored.", "Received"),
            "400": _problem("The body is incomplete."),
            "401": _problem("The signature does not prove the sender."),
            "403": _problem("Webhooks may not come from this address."),
            "404": _problem("Unknown vendor."),
            "413": _problem("Too large."),
            "415": _problem("Not JSON."),
            "429": _problem("Too many bad signatures from this address."),
            "503": _problem("Not stored: send it again."),
        },
    },
    "operations.live": {
        "summary": "Whether the process is up.",
        "responses": {"200": _json("It is.", "Live")},
    },
    "operations.ready": {
        "summary": "Whether webhooks can be stored safely.",
        "responses": {"200": _json("They can.", "Ready"), "503": _problem("They can't.")},
    },
    "operations.metrics": {
        "summary": "The metrics, for Prometheus.",
        "responses": {"200": _response("Metrics.", "text/plain", _TEXT), "404": _NOT_FOUND},
    },
    "openapi.document": {
        "summary": "This document.",
        "responses": {
            "200": _response("OpenAPI 3.1.", "application/json", {"type": "object"}),
            "404": _NOT_FOUND,
        },
    },
}
