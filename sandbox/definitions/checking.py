"""Check what one operation file says against itself and against the other files."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandbox.definitions.field_paths import EACH, last_name
from sandbox.definitions.model import CannedReply, FieldRules, InputAnswer, VendorOperation
from sandbox.definitions.templates import names_in
from sandbox.definitions.yaml_file import Node

VALUES = (
    "reference_id", "reference_text", "code", "page", "page_qr", "created_at", "changed_at",
    "valid_until", "base", "entry_answers", "waiting_entries", "entry_count",
)  # fmt: skip
"""The names that bodies may use besides the request's fields; see ``sandbox.cases``."""
OF_ENTRIES = ("reference_id", "sequence")
"""The names that the bodies of entries may use besides the entry's fields."""


def check_operation(
    operation: VendorOperation, others: Mapping[str, VendorOperation], node: Node
) -> None:
    """Refuse names that don't exist: of fields, values, stages and operations."""
    fields = {each.name: each for each in operation.fields}
    known = {name.partition(".")[0].removesuffix("[]") for name in fields}
    own, choice = operation.own_id, operation.needs_one_of
    _check_known([own.field] if own else [], fields, node.child("id", None))
    _check_known(choice.fields if choice else [], fields, node.child("needs_one_of", None))
    for index, answer in enumerate(operation.answers):
        place = node.child("answers", None).child(index, None)
        _check_conditions(answer, fields, place.child("when", None))
        _check_stages(operation, answer, place)
        for name in answer.sets:
            if name in known or name in VALUES:
                raise place.child("set", None).bad(f"{name} is a field or a value already")
    sets = {name: None for answer in operation.answers for name in answer.sets}
    _check_names(_templates(operation), (*sorted(known), *sets, *VALUES), node)
    _check_entries(operation, node.child("entries", None))
    if operation.read:
        sources = [others.get(name, operation) for name in operation.read.operations]
        if not sources or not all(each.answers for each in sources):
            raise node.child("read.of", None).bad("write the name of an operation with answers")


def _check_known(names: Iterable[str], fields: Mapping[str, FieldRules], node: Node) -> None:
    for name in names:
        if name not in fields:
            raise node.bad(f"no field is called {name}; add it to fields")


def _check_conditions(answer: InputAnswer, fields: Mapping[str, FieldRules], node: Node) -> None:
    _check_known(answer.when, fields, node)
    for name, wanted in answer.when.items():
        types = [rule.demand for rule in fields[name].rules if rule.name == "type"]
        if types == [("text",)] and isinstance(wanted, int | float):
            raise node.child(name, None).bad("this field is a text; write it in quotes")


def _check_stages(operation: VendorOperation, answer: InputAnswer, node: Node) -> None:
    if answer.becomes and answer.becomes not in operation.stages:
        known = ", ".join(operation.stages) or "none: add stages"
        hint = f"no stage is called {answer.becomes}; known: {known}"
        raise node.child("becomes", None).bad(hint)
    first = operation.first_stage
    waits = first is not None and first.after_s is not None and first.next is None
    if waits and answer.executed and answer.starts_stages and not answer.becomes:
        raise node.bad("write becomes: the stage that follows the first one")


def _check_entries(operation: VendorOperation, node: Node) -> None:
    if operation.entries is None:
        return
    start = operation.entries.field + EACH
    fields = {
        last_name(each.name): each for each in operation.fields if each.name.startswith(start)
    }
    lists = [each for each in operation.fields if each.name == operation.entries.field]
    if not fields or [each.rules[0].demand for each in lists] != [("list",)]:
        hint = f"add {operation.entries.field} (type: list) and a field {start}... to fields"
        raise node.child("field", None).bad(hint)
    known = (*sorted(fields), *OF_ENTRIES)
    for index, answer in enumerate(operation.entries.answers):
        place = node.child("answers", None).child(index, None)
        _check_conditions(answer, fields, place.child("when", None))
        _check_names([answer.sets], known, place)
        _check_names([answer.reply.body], (*known, *answer.sets), place)
    _check_names([operation.entries.waiting], known, node.child("waiting", None))


def _check_names(templates: Iterable[Any], known: tuple[str, ...], node: Node) -> None:
    for template in templates:
        for name in names_in(template):
            if name not in known:
                names = ", ".join(known)
                raise node.bad(f"unknown name ${name} in a body; write one of {names}")


def _templates(operation: VendorOperation) -> Iterator[Any]:
    replies: list[CannedReply | None] = []
    for answer in operation.answers:
        replies += [answer.reply, answer.read]
        yield answer.sets
    for stage in operation.stages.values():
        replies.append(stage.reply)
        if stage.event:
            yield stage.event.data
    yield from (reply.body for reply in replies if reply)
