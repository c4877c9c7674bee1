"""The control routes, ``/_control/*``: loopback only, JSON in and out. See sandbox/README.md."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Protocol

from flask import Blueprint, Response, abort, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from sandbox import digilocker, people, validation
from sandbox.control_fields import NONE, NUMBER, TEXT, checked_fields
from sandbox.engine.progress import expire, press
from sandbox.errors import NOT_ENABLED, STOPS, BadControl, VendorError
from sandbox.faults import ANY_ROUTE, parse_plan
from sandbox.journeys import PersonScript
from sandbox.redirects import redirect_target
from sandbox.state import DEFAULT_STEPS
from sandbox.vendor import EmulatedVendor
from sandbox.webhooks import BEHAVIOUR_FIELDS

SERVER_EXTENSION = "sandbox_server"
FLUSH_TIMEOUT_S = 5.0

Body = Mapping[str, Any]


class ClosablePort(Protocol):
    """A server that can refuse connections for a while."""

    def refuse(self, seconds: float) -> None:
        """Close the port for ``seconds``."""


def control(vendor: EmulatedVendor) -> Blueprint:
    """Return the blueprint of the control routes."""
    routes = Blueprint("control", __name__, url_prefix="/_control")
    routes.before_request(_loopback_only)
    routes.register_error_handler(ValueError, _bad_request)
    for path, change in _CHANGES.items():
        routes.add_url_rule(path, path, _post(vendor, change), methods=["POST"])
    for path, read in _READS.items():
        routes.add_url_rule(path, f"get {path}", _get(vendor, read), methods=["GET"])

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


def _post(
    vendor: EmulatedVendor, change: Callable[[EmulatedVendor, Body], Body]
) -> Callable[[], Response]:
    return lambda: jsonify(change(vendor, _body()))


def _get(vendor: EmulatedVendor, read: Callable[[EmulatedVendor], Body]) -> Callable[[], Response]:
    return lambda: jsonify(read(vendor))


def _add_fault(vendor: EmulatedVendor, body: Body) -> Body:
    if body.get("cut") == "refuse":
        return _refuse(body)
    route = body.get("route", ANY_ROUTE)
    if route != ANY_ROUTE:
        _known_route(vendor, route)
    fault, plan = parse_plan({name: body[name] for name in body if name != "route"})
    vendor.faults.add(route, fault, **plan)
    return {"waiting": vendor.faults.waiting()}


def _clear_faults(vendor: EmulatedVendor, _: Body) -> Body:
    vendor.faults.reset()
    return {"waiting": vendor.faults.waiting()}


def _known_route(vendor: EmulatedVendor, route: object) -> str:
    known = vendor.operations.by_name
    if route not in known:
        raise BadControl(f"unknown route; known are {', '.join(known)}")
    return str(route)


def _refuse(body: Body) -> Body:
    seconds = checked_fields(body, {"cut": (str,), "seconds": NUMBER}).get("seconds", 1)
    server: ClosablePort | None = current_app.extensions.get(SERVER_EXTENSION)
    if server is None:
        raise BadControl("only a sandbox that listens on a port can refuse connections")
    server.refuse(seconds)
    return {"refusing_s": seconds}


def _advance(vendor: EmulatedVendor, body: Body) -> Body:
    vendor.clock.advance(checked_fields(body, {"advance_s": NUMBER}).get("advance_s", 0))
    expire(vendor)
    return _show_clock(vendor)


def _show_clock(vendor: EmulatedVendor) -> Body:
    return {"now": vendor.clock.now(), "steady": vendor.clock.steady()}


def _set_webhooks(vendor: EmulatedVendor, body: Body) -> Body:
    for name, value in checked_fields(body, BEHAVIOUR_FIELDS).items():
        setattr(vendor.webhooks.behaviour, name, value)
    return asdict(vendor.webhooks.behaviour)


def _flush(vendor: EmulatedVendor, _: Body) -> Body:
    return {"done": vendor.webhooks.flush(FLUSH_TIMEOUT_S), "webhooks": vendor.webhooks.log()}


def _add_template(vendor: EmulatedVendor, body: Body) -> Body:
    checked_fields(body, {"name": (str,), "steps": (list,)})
    name, steps = body.get("name"), body.get("steps", list(DEFAULT_STEPS))
    if not validation.is_legal_id(name):
        raise BadControl("a template needs a name of letters, digits, dot, hyphen, underscore")
    with vendor.state.lock:
        vendor.state.templates[str(name)] = tuple(steps)
    return {"templates": sorted(vendor.state.templates)}


def _set_quota(vendor: EmulatedVendor, body: Body) -> Body:
    checked_fields(body, {"route": (str,), "per_minute": (int,)})
    route = _known_route(vendor, body.get("route"))
    if "per_minute" not in body:
        raise BadControl("give per_minute")
    vendor.quota.set_limit(route, body["per_minute"])
    return {"route": route, "per_minute": body["per_minute"]}


def _set_stop(vendor: EmulatedVendor, body: Body) -> Body:
    code = checked_fields(body, {"code": TEXT}).get("code")
    if code is not None and code not in STOPS:
        raise BadControl(f"code must be null or one of {', '.join(STOPS)}")
    vendor.state.stop = STOPS[code] if code else None
    return {"code": code}


def _set_not_enabled(vendor: EmulatedVendor, body: Body) -> Body:
    checked_fields(body, {"route": (str,), "answer": (int, NONE)})
    route, answer = _known_route(vendor, body.get("route")), body.get("answer")
    if answer not in (None, *_NOT_ENABLED):
        raise BadControl("answer must be 404, 400 or null")
    if answer is None:
        vendor.state.not_enabled.pop(route, None)
    else:
        vendor.state.not_enabled[route] = _NOT_ENABLED[answer]
    return {"route": route, "answer": answer}


def _reset(vendor: EmulatedVendor, _: Body) -> Body:
    vendor.reset()
    return {"reset": True}


def _journey(vendor: EmulatedVendor, verification_id: str, body: Body) -> Body:
    """Script a person's actions; if the journey does not exist yet, they wait for it."""
    if body.get("decision") in vendor.operations.buttons:
        return _press(vendor, verification_id, body)
    script = _script(body)
    with vendor.state.lock:
        vendor.state.scripts[verification_id] = script
        journey = vendor.state.journey_of_any_client(verification_id)
    if journey is None:
        return {"planned": True}
    digilocker.play_script(vendor, journey)
    return {
        "planned": False,
        "status": journey.status(vendor.clock.now()),
        "redirect_to": redirect_target(journey.redirect_url, "verification_id", verification_id),
    }


def _press(vendor: EmulatedVendor, own_id: str, body: Body) -> Body:
    """Press a button of a person's page; if the call does not exist yet, the press waits for it."""
    button = str(checked_fields(body, {"decision": TEXT})["decision"])
    with vendor.state.lock:
        case = vendor.state.cases.of_any_client(own_id)
        if case is None:
            vendor.state.presses[own_id] = button
            return {"planned": True}
        pressed = press(vendor, case, button)
    return {"planned": False, "pressed": pressed, "stage": case.stage.name if case.stage else None}


def _script(body: Body) -> PersonScript:
    checked_fields(body, _SCRIPT_FIELDS)
    if body.get("decision") not in (None, "allow", "deny", "fail"):
        raise BadControl("decision must be allow, deny or fail")
    person = body.get("person", {})
    unknown = sorted(set(person) - set(people.DEFAULT))
    if unknown:
        raise BadControl(f"person has no field {unknown[0]}; known are {', '.join(people.DEFAULT)}")
    documents = body.get("documents")
    return PersonScript(
        decision=body.get("decision"),
        documents=None if documents is None else tuple(documents),
        person=person,
        document_202=body.get("document_202"),
    )


_SCRIPT_FIELDS: Mapping[str, tuple[type, ...]] = {
    "decision": TEXT,
    "documents": (list, NONE),
    "person": (dict,),
    "document_202": (int, NONE),
}

_NOT_ENABLED: Mapping[int, VendorError | None] = {404: None, 400: NOT_ENABLED}

_CHANGES: Mapping[str, Callable[[EmulatedVendor, Body], Body]] = {
    "/faults": _add_fault,
    "/faults/clear": _clear_faults,
    "/clock": _advance,
    "/webhooks": _set_webhooks,
    "/webhooks/flush": _flush,
    "/templates": _add_template,
    "/quota": _set_quota,
    "/stop": _set_stop,
    "/not-enabled": _set_not_enabled,
    "/reset": _reset,
}

_READS: Mapping[str, Callable[[EmulatedVendor], Body]] = {
    "/clock": _show_clock,
    "/webhooks": lambda vendor: {"webhooks": vendor.webhooks.log()},
    "/quota": lambda vendor: {"quota": vendor.quota.report()},
    "/audit": lambda vendor: {"audit": vendor.records.executions()},
    "/calls": lambda vendor: {"calls": vendor.records.calls()},
    "/faults": lambda vendor: {"waiting": vendor.faults.waiting()},
    "/health": lambda _: {"status": "ok"},
}
