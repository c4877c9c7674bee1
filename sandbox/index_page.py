"""The page ``/``: what this sandbox knows, for people, with test data to copy."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint

from sandbox import pages
from sandbox.clock import iso
from sandbox.definitions.model import VendorOperation
from sandbox.definitions.templates import fill
from sandbox.engine.progress import advance_all
from sandbox.vendor import EmulatedVendor

MOST_PAGES = 20


@dataclass(frozen=True)
class SampleCall:
    """A call to copy: its address, its JSON body if it has one, and what the answer means."""

    means: str
    address: str
    body: str


def index_page(vendor: EmulatedVendor, prefix: str) -> Blueprint:
    """Return the blueprint of the page; ``prefix`` stands before the path of each operation."""
    routes = Blueprint("index", __name__)

    @routes.get("/")
    def show() -> str:
        operations = sorted(vendor.operations, key=lambda each: (each.path, each.method != "POST"))
        now = iso(vendor.clock.now())
        known = [(each, list(sample_calls(each, prefix, now))) for each in operations]
        advance_all(vendor)
        with vendor.state.lock:
            waiting = vendor.state.cases.with_page()[:MOST_PAGES]
        return pages.operations_page(known, waiting, prefix, sorted(vendor.config.accounts))

    return routes


def sample_calls(operation: VendorOperation, prefix: str, now: str) -> Iterator[SampleCall]:
    """Yield the calls that the operation's file gives to people; `$now` in them is the time."""
    samples = [(operation.means, operation.sample)]
    samples += [(answer.means, answer.send) for answer in operation.answers]
    for means, fields in samples:
        if fields:
            yield _call(operation, prefix, means, fill(fields, {"now": now}))


def _call(
    operation: VendorOperation, prefix: str, means: str, fields: Mapping[str, Any]
) -> SampleCall:
    address = f"{operation.method} {prefix}{operation.path}"
    for name in fields:
        address = address.replace(f"{{{name}}}", str(fields[name]))
    others = {name: fields[name] for name in fields if f"{{{name}}}" not in operation.path}
    if operation.method in ("POST", "PUT", "PATCH"):
        return SampleCall(means, address, json.dumps(others, ensure_ascii=False))
    return SampleCall(means, f"{address}?{urlencode(others)}" if others else address, "")
