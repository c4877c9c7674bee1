"""Check what one operation file says against itself and against the other files."""

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.definitions.model import CannedReply, InputAnswer, VendorOperation
from sandbox.definitions.templates import names_in
from sandbox.definitions.yaml_file import Node

VALUES = (
    "reference_id", "code", "page", "page_qr", "created_at", "changed_at", "valid_until", "base",
)  # fmt: skip
"""The names that bodies may use besides the request's fields; see ``sandbox.cases``."""


def check_operation(
    operation: VendorOperation, others: Mapping[str, VendorOperation], node: Node
) -> None:
    """Refuse names that don't exist: of fields, values, stages and operations."""
    fields = {each.name for each in operation.fields}
    own = operation.own_id
    if own and own.field not in fields:
        raise node.child("id", None).bad(f"no field is called {own.field}; add it to fields")
    if operation.answers and operation.answers[-1].when:
        raise node.child("answers", None).bad("add a last answer without when, for other requests")
    for index, answer in enumerate(operation.answers):
        _check_answer(operation, answer, node.child("answers", None).child(index, None))
    for template in _templates(operation):
        for name in names_in(template):
            if name not in fields and name not in VALUES:
                known = ", ".join((*sorted(fields), *VALUES))
                raise node.bad(f"unknown name ${name} in a body; write one of {known}")
    if operation.read and not others.get(operation.read.operation, operation).answers:
        raise node.child("read.of", None).bad("write the name of an operation with answers")


def _check_answer(operation: VendorOperation, answer: InputAnswer, node: Node) -> None:
    fields = {each.name: each for each in operation.fields}
    for name, wanted in answer.when.items():
        if name not in fields:
            raise node.child("when", None).bad(f"no field is called {name}; add it to fields")
        types = [rule.demand for rule in fields[name].rules if rule.name == "type"]
        if types == ["text"] and isinstance(wanted, int | float):
            raise node.child(f"when.{name}", None).bad("this field is a text; write it in quotes")
    if answer.becomes and answer.becomes not in operation.stages:
        known = ", ".join(operation.stages) or "none: add stages"
        raise node.child("becomes", None).bad(
            f"no stage is called {answer.becomes}; known: {known}"
        )
    first = operation.first_stage
    waits = first is not None and first.after_s is not None and first.next is None
    if waits and answer.executed and answer.starts_stages and not answer.becomes:
        raise node.bad("write becomes: the stage that follows the first one")


def _templates(operation: VendorOperation) -> Iterator[Any]:
    replies: list[CannedReply | None] = []
    for answer in operation.answers:
        replies += [answer.reply, answer.read]
    for stage in operation.stages.values():
        replies.append(stage.reply)
        if stage.event:
            yield stage.event.data
    yield from (reply.body for reply in replies if reply)
