"""The OpenAPI 3.1 document, written from the app's own routes; served at `/openapi.json`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from apispec import APISpec
from flask import Blueprint, Flask, Response, current_app, jsonify
from werkzeug.routing import Rule

VERSION: Final = "1"
_PARAMETER: Final = re.compile(r"<(\w+)>")


def openapi() -> Blueprint:
    """Make the route of the document."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json")
    def document() -> Response:
        return jsonify(describe(current_app))

    return blueprint


def describe(app: Flask) -> dict[str, Any]:
    """Write the document: every route of the app, as its endpoint is described below.

    Raises:
        KeyError: a route that nobody described.
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
    told = _ENDPOINTS[rule.endpoint]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(rule.rule)
    ]
    return {
        **told,
        "operationId": rule.endpoint,
        "parameters": [*parameters, *told.get("parameters", [])],
        "responses": {"500": _problem("It failed here."), **told["responses"]},
    }


def _answer(description: str, media: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


def _json(description: str, name: str) -> dict[str, Any]:
    return _answer(description, "application/json", _ref(name))


def _problem(description: str) -> dict[str, Any]:
    return _answer(description, "application/problem+json", _ref("Problem"))


def _page(description: str) -> dict[str, Any]:
    return _answer(description, "text/html", {"type": "string"})


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_ABOUT: Final = (
    "What the outside may ask: people who come back from the vendor, the vendor's webhooks, and "
    "the probes of whoever runs this."
)
_TEXT: Final = {"type": "string"}
_SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457; nothing of the request is in it.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"const": "about:blank"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
        },
        "additionalProperties": False,
    },
    "Up": _object(status={"const": "ok"}),
    "Ready": _object(
        status={"const": "ready"},
        ledger={"const": "ok"},
        broker={"enum": ["ok", "no answer"]},
        worker_age_s={
            "type": ["number", "null"],
            "description": "Seconds since a worker last swept; null: none for a long time.",
        },
    )
    | {
        "description": "On the public address only the status.",
        "required": ["status"],
    },
    "Taken": _object(status={"enum": ["stored", "outdated", "forgotten", "probe"]}),
    "State": _object(
        page={"enum": ["confirming", "slow", "received", "declined", "expired", "later"]},
        settled={"type": "boolean", "description": "Whether it changes no more."},
        title=_TEXT,
        text=_TEXT,
    ),
    "Event": {
        "type": "object",
        "description": "As the vendor publishes it; any JSON that is well signed is kept.",
        "properties": {"event_type": _TEXT, "event_time": _TEXT, "data": {"type": "object"}},
    },
}
_APART: Final = _problem("Asked on another address than the one for operations.")
_LANG: Final = {"name": "lang", "in": "query", "required": False, "schema": _TEXT}
_SIGNED: Final = [
    {"name": name, "in": "header", "required": True, "schema": _TEXT}
    for name in ("x-webhook-signature", "x-webhook-timestamp")
]
_ENDPOINTS: Final[Mapping[str, dict[str, Any]]] = {
    "returns.come_back": {
        "summary": "A person comes back from the vendor.",
        "parameters": [_LANG],
        "responses": {
            "200": _page("Where the verification stands."),
            "303": {"description": "On to the producer's page."},
            "404": _page("A token that is forged, expired or unknown."),
            "500": _page("It failed here."),
            "503": _page("The ledger can't be read."),
        },
    },
    "returns.state": {
        "summary": "The words of the page that a person has open.",
        "parameters": [_LANG],
        "responses": {
            "200": _json("Where the verification stands.", "State"),
            "404": _problem("A token that is forged, expired or unknown."),
            "503": _problem("The ledger can't be read."),
        },
    },
    "webhooks.receive": {
        "summary": "The vendor tells of a change.",
        "parameters": _SIGNED,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("Event")}},
        },
        "responses": {
            "200": _json("Durable, known already, or not to be kept.", "Taken"),
            "400": _problem("The body did not arrive whole."),
            "401": _problem("The signature does not prove the sender."),
            "403": _problem("Webhooks may not come from this address."),
            "404": _problem("No such vendor."),
            "413": _problem("Too large."),
            "415": _problem("Not JSON."),
            "429": _problem("Too many bad signatures from this address."),
            "503": _problem("Not stored: send it again."),
        },
    },
    "health.up": {
        "summary": "Whether the process is up.",
        "responses": {"200": _json("It is.", "Up")},
    },
    "health.ready": {
        "summary": "Whether webhooks can be stored safely.",
        "responses": {"200": _json("They can.", "Ready"), "503": _problem("They can't.")},
    },
    "health.counted": {
        "summary": "What was counted, for Prometheus.",
        "responses": {"200": _answer("Counts.", "text/plain", _TEXT), "404": _APART},
    },
    "openapi.document": {
        "summary": "This document.",
        "responses": {
            "200": _answer("OpenAPI 3.1.", "application/json", {"type": "object"}),
            "404": _APART,
        },
    },
}
