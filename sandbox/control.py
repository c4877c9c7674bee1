"""The control routes, ``/_control/*``: loopback only, JSON in and out. See sandbox/README.md."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Protocol

from flask import Blueprint, Response, abort, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from sandbox import checks, digilocker, people
from sandbox.config import QUOTAS
from sandbox.errors import STOPS, BadControl
from sandbox.examples import find_example
from sandbox.faults import ANY_ROUTE, parse_plan
from sandbox.journey_pages import redirect_target
from sandbox.journeys import Script
from sandbox.state import DEFAULT_STEPS
from sandbox.vendor import Vendor
from sandbox.wanted import NONE, NUMBER, TEXT, check
from sandbox.webhooks import BEHAVIOUR_FIELDS

LISTENER = "sandbox_listener"
FLUSH_TIMEOUT_S = 5.0

Body = Mapping[str, Any]


class Refuser(Protocol):
    """Something that can refuse connections for a while: the listener."""

    def refuse(self, seconds: float) -> None:
        """Close the port for ``seconds``."""


def control(vendor: Vendor) -> Blueprint:
    """Return the blueprint of the control routes."""
    routes = Blueprint("control", __name__, url_prefix="/_control")
    routes.before_request(_loopback_only)
    routes.register_error_handler(ValueError, _bad_request)
    for path, change in _CHANGES.items():
        routes.add_url_rule(path, path, _post(vendor, change), methods=["POST"])
    for path, look in _LOOKS.items():
        routes.add_url_rule(path, f"get {path}", _get(vendor, look), methods=["GET"])

    @routes.post("/journeys/<verification_id>")
    def journey(verification_id: str) -> Response:
        return jsonify(_journey(vendor, verification_id, _body()))

    return routes


def _loopback_only() -> None:
    if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104  compared only
        abort(HTTPStatus.FORBIDDEN)


def _bad_request(error: ValueError) -> tuple[Response, HTTPStatus]:
    return jsonify({"error": str(error)}), HTTPStatus.BAD_REQUEST


def _body() -> Body:
    try:
        body = request.get_json(force=True) if request.get_data() else {}
    except HTTPException as error:
        raise BadControl("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadControl("the body must be a JSON object")
    return body


def _post(vendor: Vendor, change: Callable[[Vendor, Body], Body]) -> Callable[[], Response]:
    return lambda: jsonify(change(vendor, _body()))


def _get(vendor: Vendor, look: Callable[[Vendor], Body]) -> Callable[[], Response]:
    return lambda: jsonify(look(vendor))


def _add_fault(vendor: Vendor, body: Body) -> Body:
    if body.get("cut") == "refuse":
        return _refuse(body)
    route = body.get("route", ANY_ROUTE)
    if route != ANY_ROUTE:
        _known_route(route)
    fault, plan = parse_plan({name: body[name] for name in body if name != "route"})
    if fault.example is not None:
        _known_example(fault.example)
    vendor.faults.add(route, fault, **plan)
    return {"waiting": vendor.faults.waiting()}


def _known_route(route: object) -> str:
    if route not in QUOTAS:
        raise BadControl(f"unknown route; known are {', '.join(QUOTAS)}")
    return str(route)


def _known_example(name: str) -> None:
    try:
        find_example(name)
    except KeyError:
        raise BadControl("unknown example; write <operation>/<name of the vendor's page>") from None


def _refuse(body: Body) -> Body:
    seconds = check(body, {"cut": (str,), "seconds": NUMBER}).get("seconds", 1)
    listener: Refuser | None = current_app.extensions.get(LISTENER)
    if listener is None:
        raise BadControl("only a sandbox on a socket can refuse connections")
    listener.refuse(seconds)
    return {"refusing_s": seconds}


def _advance(vendor: Vendor, body: Body) -> Body:
    vendor.clock.advance(check(body, {"advance_s": NUMBER}).get("advance_s", 0))
    vendor.expire()
    return _show_clock(vendor)


def _show_clock(vendor: Vendor) -> Body:
    return {"now": vendor.clock.now(), "steady": vendor.clock.steady()}


def _set_webhooks(vendor: Vendor, body: Body) -> Body:
    for name, value in check(body, BEHAVIOUR_FIELDS).items():
        setattr(vendor.webhooks.behaviour, name, value)
    return asdict(vendor.webhooks.behaviour)


def _flush(vendor: Vendor, _: Body) -> Body:
    return {"done": vendor.webhooks.flush(FLUSH_TIMEOUT_S), "webhooks": vendor.webhooks.log()}


def _add_template(vendor: Vendor, body: Body) -> Body:
    check(body, {"name": (str,), "steps": (list,)})
    name, steps = body.get("name"), body.get("steps", list(DEFAULT_STEPS))
    if not checks.is_legal_id(name):
        raise BadControl("a template needs a name of letters, digits, dot, hyphen, underscore")
    with vendor.state.lock:
        vendor.state.templates[str(name)] = tuple(steps)
    return {"templates": sorted(vendor.state.templates)}


def _set_quota(vendor: Vendor, body: Body) -> Body:
    check(body, {"route": (str,), "per_minute": (int,)})
    route = _known_route(body.get("route"))
    if "per_minute" not in body:
        raise BadControl("give per_minute")
    vendor.quota.set_limit(route, body["per_minute"])
    return {"route": route, "per_minute": body["per_minute"]}


def _set_stop(vendor: Vendor, body: Body) -> Body:
    code = check(body, {"code": TEXT}).get("code")
    if code is not None and code not in STOPS:
        raise BadControl(f"code must be null or one of {', '.join(STOPS)}")
    vendor.state.stop = STOPS[code] if code else None
    return {"code": code}


def _reset(vendor: Vendor, _: Body) -> Body:
    vendor.reset()
    return {"reset": True}


def _journey(vendor: Vendor, verification_id: str, body: Body) -> Body:
    """Script a person for a journey; without one, the script waits for its creation."""
    script = _script(body)
    with vendor.state.lock:
        vendor.state.scripts[verification_id] = script
        journey = vendor.state.journey_of_anyone(verification_id)
    if journey is None:
        return {"planned": True}
    digilocker.play_script(vendor, journey)
    return {
        "planned": False,
        "status": journey.status(vendor.clock.now()),
        "redirect_to": redirect_target(journey),
    }


def _script(body: Body) -> Script:
    check(body, _SCRIPT_FIELDS)
    if body.get("decision") not in (None, "allow", "deny", "fail"):
        raise BadControl("decision must be allow, deny or fail")
    who = body.get("person", {})
    strange = sorted(set(who) - set(people.DEFAULT))
    if strange:
        raise BadControl(f"person has no {strange[0]}; known are {', '.join(people.DEFAULT)}")
    documents = body.get("documents")
    return Script(
        decision=body.get("decision"),
        documents=None if documents is None else tuple(documents),
        person=who,
        document_202=body.get("document_202"),
    )


_SCRIPT_FIELDS: Mapping[str, tuple[type, ...]] = {
    "decision": TEXT,
    "documents": (list, NONE),
    "person": (dict,),
    "document_202": (int, NONE),
}

_CHANGES: Mapping[str, Callable[[Vendor, Body], Body]] = {
    "/faults": _add_fault,
    "/clock": _advance,
    "/webhooks": _set_webhooks,
    "/webhooks/flush": _flush,
    "/templates": _add_template,
    "/quota": _set_quota,
    "/stop": _set_stop,
    "/reset": _reset,
}

_LOOKS: Mapping[str, Callable[[Vendor], Body]] = {
    "/clock": _show_clock,
    "/webhooks": lambda vendor: {"webhooks": vendor.webhooks.log()},
    "/quota": lambda vendor: {"quota": vendor.quota.report()},
    "/audit": lambda vendor: {"audit": vendor.records.executions()},
    "/calls": lambda vendor: {"calls": vendor.records.calls()},
    "/faults": lambda vendor: {"waiting": vendor.faults.waiting()},
    "/health": lambda _: {"status": "ok"},
}
