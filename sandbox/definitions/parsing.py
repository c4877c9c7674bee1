"""Turn the content of one operation file into a ``VendorOperation``, or say what is wrong in it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.definitions.model import (
    CallRead,
    CannedReply,
    EntryAnswers,
    FieldChoice,
    InputAnswer,
    OwnId,
    ReadParameter,
    VendorOperation,
)
from sandbox.definitions.parsing_errors import CUTS, parse_error
from sandbox.definitions.parsing_fields import parse_fields
from sandbox.definitions.parsing_stages import parse_reply, parse_stages
from sandbox.definitions.yaml_file import Node

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_PATH = re.compile(r"(/([a-z0-9._-]+|\{[a-z_]+\}))+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEYS = (
    "operation", "name", "title", "per_minute", "fields", "id", "charge", "error_reference",
    "answers", "stages", "read", "python", "errors", "sample", "means", "needs_one_of", "entries",
)  # fmt: skip
_ANSWER_KEYS = (
    "when", "body", "error", "cut", "executed", "read", "becomes", "set", "send", "means",
)  # fmt: skip
_SOURCES = ("answers", "read", "python")


def parse_operation(
    node: Node, shared: Mapping[str, Node], python: Iterable[str]
) -> VendorOperation:
    """Return the operation of one file.

    ``shared`` are the fields that files may refer to, ``python`` the known Python answers.
    """
    parts = node.entries(_KEYS, required=("operation", "name", "title", "per_minute"))
    if sum(source in parts for source in _SOURCES) != 1:
        raise node.bad(f"write exactly one of {', '.join(_SOURCES)}")
    given = {
        attribute: parse(parts[key]) for key, (attribute, parse) in _PARSERS.items() if key in parts
    }
    if "fields" in parts:
        given["fields"] = parse_fields(parts["fields"], shared)
    if "python" in parts:
        given["python"] = parts["python"].one_of(tuple(python))
    method, path = _route(parts["operation"])
    return VendorOperation(method=method, path=path, **given)


def _route(node: Node) -> tuple[str, str]:
    method, _, path = node.text().partition(" ")
    if method not in METHODS or not _PATH.fullmatch(path):
        raise node.bad("write method and path, such as POST /pan or GET /pan/{reference_id}")
    return method, path


def _name(node: Node) -> str:
    if not _NAME.fullmatch(node.text()):
        raise node.bad("write lower case letters, digits and underscores, such as pan_lite")
    return node.text()


def _own_id(node: Node) -> OwnId:
    parts = node.entries(("field", "repeated"), required=("field",))
    repeated = parse_error(parts["repeated"]) if "repeated" in parts else None
    return OwnId(parts["field"].text(), repeated)


def _values(node: Node) -> dict[str, Any]:
    return {key: each.value for key, each in node.entries().items()}


def _choice(node: Node) -> FieldChoice:
    parts = node.entries(("fields", "error"), required=("fields", "error"))
    fields = tuple(each.text() for each in parts["fields"].items())
    return FieldChoice(fields, parse_error(parts["error"]))


def _entries(node: Node) -> EntryAnswers:
    parts = node.entries(("field", "waiting", "answers"), required=("field", "answers"))
    waiting = _values(parts["waiting"]) if "waiting" in parts else None
    return EntryAnswers(parts["field"].text(), _answers(parts["answers"]), waiting)


def _answers(node: Node) -> tuple[InputAnswer, ...]:
    """Return the answers; the last one is for every request that the others don't fit."""
    answers = tuple(_answer(each) for each in node.items())
    if not answers or answers[-1].when:
        raise node.bad("add a last answer without when, for other requests")
    return answers


def _answer(node: Node) -> InputAnswer:
    parts = node.entries(_ANSWER_KEYS)
    reply = _reply_of(node, parts)
    return InputAnswer(
        when=_conditions(parts["when"]) if "when" in parts else {},
        reply=reply,
        executed=parts["executed"].flag() if "executed" in parts else reply.error is None,
        read=parse_reply(parts["read"]) if "read" in parts else None,
        becomes=parts["becomes"].text() if "becomes" in parts else None,
        sets=_values(parts["set"]) if "set" in parts else {},
        send=_values(parts["send"]) if "send" in parts else {},
        means=parts["means"].text() if "means" in parts else "",
    )


def _reply_of(node: Node, parts: Mapping[str, Node]) -> CannedReply:
    cut = parts["cut"].one_of(CUTS) if "cut" in parts else None
    inner = {key: each.value for key, each in parts.items() if key in ("body", "error")}
    reply = parse_reply(Node(node.file, node.place, inner))
    return CannedReply(reply.status, reply.body, reply.error, cut)


def _conditions(node: Node) -> dict[str, Any]:
    """Return the condition of each field: a value, or ``like`` with a compiled form."""
    found: dict[str, Any] = {}
    for name, each in node.entries().items():
        if isinstance(each.value, Mapping):
            found[name] = _form(each.entries(("like",), required=("like",))["like"])
        else:
            found[name] = each.value
    return found


def _form(node: Node) -> re.Pattern[str]:
    try:
        return re.compile(node.text())
    except re.error as error:
        raise node.bad(f"write a regular expression ({error})") from error


def _read(node: Node) -> CallRead:
    parts = node.entries(("of", "by", "nothing_given"), required=("of", "by", "nothing_given"))
    parameters = tuple(_parameter(name, each) for name, each in parts["by"].entries().items())
    return CallRead(_names(parts["of"]), parameters, parse_error(parts["nothing_given"]))


def _names(node: Node) -> tuple[str, ...]:
    """Return one name, or several from a list."""
    if isinstance(node.value, list):
        return tuple(each.text() for each in node.items())
    return (node.text(),)


def _parameter(name: str, node: Node) -> ReadParameter:
    parts = node.entries(("finds", "unknown"), required=("finds", "unknown"))
    return ReadParameter(
        name, parts["finds"].one_of(("id", "reference")), parse_error(parts["unknown"])
    )


_PARSERS: Mapping[str, tuple[str, Callable[[Node], Any]]] = {
    "name": ("name", _name),
    "title": ("title", Node.text),
    "per_minute": ("per_minute", lambda node: int(node.number())),
    "id": ("own_id", _own_id),
    "needs_one_of": ("needs_one_of", _choice),
    "entries": ("entries", _entries),
    "charge": ("charge", Node.text),
    "error_reference": ("error_reference", Node.text),
    "answers": ("answers", _answers),
    "stages": ("stages", parse_stages),
    "read": ("read", _read),
    "errors": ("errors", lambda node: tuple(parse_error(each) for each in node.items())),
    "sample": ("sample", _values),
    "means": ("means", Node.text),
}
"""The keys that are parsed by themselves: the attribute of the operation, and how."""
