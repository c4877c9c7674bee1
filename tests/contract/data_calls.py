"""Calls of the sandbox: all that its test data answers with 200, and what a published answer needs.

A read is preceded by the call that it reads, once for each answer and stage that it can find.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.clock import iso
from sandbox.definitions.model import InputAnswer, Operations, Stage, VendorOperation
from sandbox.definitions.templates import fill
from tests.contract.conftest import NOON, Vendor
from tests.contract.excerpts import Excerpt, PublishedAnswer, find_excerpt

Calls = tuple[tuple[str, Mapping[str, Any]], ...]
CONTROL = "/_control/"
REFERENCES = ("reference_id", "ref_id", "refId", "bulk_reference_id")


@dataclass(frozen=True, kw_only=True)
class DataCall:
    """A call that is answered with 200, and the calls to make before it.

    ``takes`` names the parameter whose value is the vendor's reference in the reply before it.
    """

    operation: VendorOperation
    name: str
    request: Mapping[str, Any]
    first: Calls = ()
    takes: str = ""

    @property
    def excerpt(self) -> Excerpt:
        """Return what is published about the operation."""
        found = find_excerpt(self.operation.method, self.operation.path)
        assert found, f"nothing published about {self.operation.name}: add a file in vendor/"
        return found

    def sent(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request as method, path, and JSON or query."""
        method, path, rest = self.operation.method, self.operation.path, dict(request)
        for name in request:
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", str(rest.pop(name)))
        return {"method": method, "path": path, "json" if method == "POST" else "params": rest}

    def prepared(self, vendor: Vendor) -> dict[str, Any]:
        """Make the calls before this one; return its request, with the sandbox's time."""
        reference: Any = None
        for call, body in self.first:
            reference = _reference(make_first(vendor, call, body)) or reference
        request = fill(self.request, {"now": iso(vendor.clock.at)})
        return {**request, **({self.takes: reference} if self.takes else {})}


def make_first(vendor: Vendor, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a call that another one needs before it; return its reply, {} of a control route."""
    method, path = call.split()
    if path.startswith(CONTROL):
        vendor.control(path.removeprefix(CONTROL), **body)
        return {}
    answer: requests.Response = vendor.call(method, path, json=body)
    return dict(answer.json())


def prepare(vendor: Vendor, excerpt: Excerpt, answer: PublishedAnswer) -> dict[str, Any]:
    """Make the calls that the answer needs before its own; return what the path takes of them."""
    taken: dict[str, Any] = {}
    for call, body in answer.first:
        made = make_first(vendor, call, body)
        assert "code" not in made, made
        taken |= {k: v for k, v in made.items() if k in excerpt.path_parameters}
    if not answer.by_request:
        executed = bool(answer.error)
        fault = {"status": answer.http, "code": answer.code, "executed": executed}
        vendor.control("faults", route=excerpt.name, **fault)
    return taken


def data_calls(operations: Operations) -> Iterator[DataCall]:
    """Yield all calls, those of each operation together."""
    for operation in operations:
        yield from _published(operation)
        if operation.read:
            for name in operation.read.operations:
                yield from _reads(operation, operations[name])
        if operation.python and operation.method == "POST":
            yield DataCall(operation=operation, name="sample", request=operation.sample)
        for answer in operation.answers:
            if answer.reply.error is None and not answer.reply.cut:
                yield DataCall(operation=operation, name=answer.means, request=answer.send)


def requests_to_copy(operation: VendorOperation) -> Iterator[Mapping[str, Any]]:
    """Yield the requests that the operation's file shows to people, at noon."""
    yield from (fill(answer.send, {"now": iso(NOON)}) for answer in operation.answers)
    if operation.sample:
        yield operation.sample


def _published(operation: VendorOperation) -> Iterator[DataCall]:
    excerpt = find_excerpt(operation.method, operation.path)
    for answer in excerpt.answers if excerpt else ():
        if excerpt and answer.is_reply and not answer.no_fixture:
            takes = next((n for n in excerpt.path_parameters if n in REFERENCES), "")
            yield DataCall(
                operation=operation,
                name=answer.name,
                request=excerpt.request_for(answer),
                first=answer.first,
                takes=takes if answer.first else "",
            )


def _reads(operation: VendorOperation, source: VendorOperation) -> Iterator[DataCall]:
    for answer in source.answers:
        if answer.executed and not answer.reply.cut:
            for name, first in _ways(source, answer):
                yield from _by_each_parameter(operation, source, answer.send, name, first)


def _by_each_parameter(
    operation: VendorOperation,
    source: VendorOperation,
    send: Mapping[str, Any],
    name: str,
    first: Calls,
) -> Iterator[DataCall]:
    for parameter in operation.read.parameters if operation.read else ():
        title = f"{name}, by {parameter.name}"
        if parameter.finds == "reference":
            yield DataCall(
                operation=operation, name=title, request={}, first=first, takes=parameter.name
            )
        elif source.own_id and source.own_id.field in send:
            found = {parameter.name: send[source.own_id.field]}
            yield DataCall(operation=operation, name=title, request=found, first=first)


def _ways(source: VendorOperation, answer: InputAnswer) -> Iterator[tuple[str, Calls]]:
    """Yield each state that reads of the call can find, and the calls that lead there."""
    create: Calls = ((f"{source.method} {source.path}", answer.send),)
    begin = source.first_stage
    if begin is None or not answer.starts_stages:
        if (answer.read or answer.reply).error is None:
            yield answer.means, create
        return
    yield from _as_time_passes(source, answer, begin, create)
    for name, button in (begin.page.buttons if begin.page else {}).items():
        own_id = answer.send[source.own_id.field] if source.own_id else ""
        press: Calls = ((f"POST {CONTROL}journeys/{own_id}", {"decision": name}),)
        yield from _as_time_passes(source, answer, source.stages[button.stage], press + create)


def _as_time_passes(
    source: VendorOperation, answer: InputAnswer, stage: Stage, first: Calls
) -> Iterator[tuple[str, Calls]]:
    if stage.reply.error is None:
        yield f"{answer.means}, {stage.name}", first
    following = stage.next or answer.becomes
    if stage.after_s is not None and following:
        wait: Calls = ((f"POST {CONTROL}clock", {"advance_s": stage.after_s}),)
        yield from _as_time_passes(source, answer, source.stages[following], first + wait)


def _reference(reply: Mapping[str, Any]) -> Any:
    named = {**reply, **dict(reply.get("error") or {})}
    return next((named[name] for name in REFERENCES if name in named), None)


def unexercised(operations: Operations, calls: Iterable[DataCall]) -> set[str]:
    """Return the names of the operations that no call is made of."""
    return {each.name for each in operations} - {call.operation.name for call in calls}
