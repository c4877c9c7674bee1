"""A vendor between worker and sandbox: all that is private in requests and replies is a marker.

A producer sends `requests`: examples of kinds with other values in their private fields. The
sandbox gets the example that it knows, and in its replies each private value becomes a marker: the
one of the request where it repeats the example, a new one elsewhere.
"""

import itertools
import json
import re
import string
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from random import Random
from typing import Any, Final

import requests

from config.aadhaar import mask
from satyapan.errors import InvalidRequest
from satyapan.kinds import Kind
from satyapan.kinds.model import ALWAYS_PUBLIC, Role, Route
from tests.support.every_kind import KINDS, SERVICES, Service
from tests.support.fresh_examples import fresh_example
from tests.support.http_listener import listening

Path = tuple[str | int, ...]
OPEN: Final = ALWAYS_PUBLIC | {"ref_id", "refId"}
"""Fields that are no secret in any kind: ids, whatever the vendor calls its own, and the status."""
SHORTEST: Final = 7
"""A shorter text may be anywhere by chance."""
_CLASSES: Final = (string.digits, string.ascii_uppercase, string.ascii_lowercase)


class MarkingVendor:
    """Listens inside `open`; `sandbox` is where calls are passed on."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.sandbox = ""
        self.url = ""
        self.requests = {kind.name: marked_request(kind, rng) for kind in KINDS}
        self.markers: dict[str, list[str]] = {kind.name: [] for kind in KINDS}
        """What replies about each kind had in place of private values."""
        self._count = itertools.count(1)

    @contextmanager
    def open(self) -> Iterator["MarkingVendor"]:
        """Listen inside the block."""
        with listening(_handler(self)) as address:
            self.url = f"{address}/verification"
            yield self

    def in_request(self, kind: Kind) -> list[str]:
        """List the markers of a kind's request."""
        example = dict(leaves(fresh_example(kind)))
        marked = leaves(self.requests[kind.name])
        return [text for path, text in marked if isinstance(text, str) and text != example[path]]

    def marker(self, kind: Kind) -> str:
        """Make a new marker."""
        text = f"Kanari-{next(self._count):06d}-reply"
        self.markers[kind.name].append(text)
        return text

    def answer(self, call: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        """Pass a call on to the sandbox; return its status and its reply, with markers."""
        path = call.path.removeprefix("/verification")
        service, role, route = self._find(call.command, path.partition("?")[0])
        if body:
            body = json.dumps(self._known(service.kind, json.loads(body))).encode()
        headers = {n: v for n, v in call.headers.items() if n.lower() not in {"host", "connection"}}
        headers["Content-Length"] = str(len(body))
        url = f"{self.sandbox}/verification{path}"
        found = requests.request(call.command, url, data=body, headers=headers, timeout=10)
        reply = self._marked(service, role, route, found.json())
        return found.status_code, json.dumps(reply).encode()

    def _find(self, method: str, path: str) -> tuple[Service, Role, Route]:
        found = []
        for service in SERVICES:
            operation = service.operation
            routes = (operation.create, operation.status, operation.document)
            for role, route in zip(Role, routes, strict=True):
                if route and route.method == method and _like(route).fullmatch(path):
                    found.append((service, role, route))
        if not found:
            raise LookupError(f"no kind calls {method} {path}")
        return next((each for each in found if each[2].path == path), found[0])

    def _known(self, kind: Kind, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request with the example's values in its private fields."""
        example = fresh_example(kind)
        return {n: v if kind.is_public(n) else example.get(n, v) for n, v in sent.items()}

    def _marked(self, service: Service, role: Role, route: Route, reply: dict[str, Any]) -> Any:
        kind, operation = service.kind, service.operation
        if isinstance(reply.get("code"), str):  # an error
            return {**reply, "message": f"{reply.get('message')} {self.marker(kind)}"}
        kept = {*OPEN, route.echo_field, *operation.handoff_fields, *_words(route)}
        kept |= {operation.deadline_field.partition(".")[0], operation.items_field or ""}
        links = [reply.get(name) for name in operation.handoff_fields]
        self.markers[kind.name] += [each for each in links if isinstance(each, str) and each]
        nothing_public, words = role is Role.DOCUMENT, entry_words(route)
        return {
            name: value
            if name in kept or (kind.is_public(name) and not nothing_public)
            else self._mark(kind, value, words)
            for name, value in reply.items()
        }

    def _mark(self, kind: Kind, value: object, words: Collection[str]) -> Any:
        if isinstance(value, Mapping):
            return {n: v if n in words else self._mark(kind, v, words) for n, v in value.items()}
        if isinstance(value, list):
            return [self._mark(kind, each, words) for each in value]
        if value is None or isinstance(value, bool | float):
            return value
        example = {str(text): path for path, text in leaves(fresh_example(kind))}
        path = example.get(str(value))
        text = _at(self.requests[kind.name], path) if path else self.marker(kind)
        if isinstance(value, int):
            return int(text) if text.isdigit() else 7_171_700_000_000 + next(self._count)
        return text


def _like(route: Route) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route.path)))


def entry_words(route: Route | None) -> set[str]:
    """Return the fields of an entry by which its status is read, in a reply to a batch."""
    rule = route.entry_statuses if route else None
    return _first_names(rule.status_field) if rule else set()


def _words(route: Route) -> set[str]:
    """Return the fields of a reply by which its status is read."""
    return _first_names(route.status_field)


def _first_names(paths: str | tuple[str, str]) -> set[str]:
    return {each.partition(".")[0] for each in ([paths] if isinstance(paths, str) else paths)}


def _handler(vendor: MarkingVendor) -> type[BaseHTTPRequestHandler]:
    class Call(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, reply = vendor.answer(self, body)
            except requests.RequestException:  # the sandbox cut the connection
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:
            return

    return Call


# ---- requests ----


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what is in a JSON value, with its place."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, (*path, number))
    else:
        yield path, value


def marked_request(kind: Kind, rng: Random) -> dict[str, Any]:
    """Return a kind's example with other private texts, as far as its rules allow others."""
    request = fresh_example(kind)
    fresh = {path for each in kind.operations.values() for path in each.max_age_s}
    for path, value in [*leaves(request)]:
        private = not kind.is_public(str(path[0])) and ".".join(map(str, path)) not in fresh
        if private and isinstance(value, str):
            _put(request, path, _variation(value, rng, _fits(kind, request, path)))
    return request


def _variation(value: str, rng: Random, fits: Callable[[str], bool]) -> str:
    """Return another text of the same form, or a longer one, that fits; the same if none does."""
    same = (_same_form(value, rng) for _ in range(300))
    numbers = (_same_form(value, rng, _CLASSES[:1]) for _ in range(20))
    longer = (_same_form(value + value[-1] * SHORTEST, rng) for _ in range(20))
    found = (text for text in (*same, *numbers, *longer) if len(text) >= SHORTEST)
    others = (text for text in found if text != value and mask(text) == text)
    return next(filter(fits, others), value)


def _same_form(value: str, rng: Random, classes: Sequence[str] = _CLASSES) -> str:
    return "".join(
        rng.choice(next((each for each in classes if sign in each), sign)) for sign in value
    )


def _fits(kind: Kind, request: dict[str, Any], path: Path) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        before = _at(request, path)
        _put(request, path, text)
        try:
            kind.check(request)
        except InvalidRequest:
            return False
        finally:
            _put(request, path, before)
        return True

    return fits


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _put(value: Any, path: Path, new: str) -> None:
    _at(value, path[:-1])[path[-1]] = new
