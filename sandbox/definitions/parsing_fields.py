"""Parse the fields of an operation file: their rules, in order, and the errors of the rules."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.definitions.field_paths import EACH, last_name
from sandbox.definitions.field_rules import CHECKS, TYPES
from sandbox.definitions.model import FieldRule, FieldRules
from sandbox.definitions.parsing_errors import parse_field_error
from sandbox.definitions.yaml_file import Node
from sandbox.errors import VendorError, invalid, missing, value_invalid

SHARED = "shared"
VALUE = "value"

_KEYS = ("required", *CHECKS, "errors")
_ERROR_KEYS = ("missing", "empty", VALUE, *CHECKS)


def parse_fields(node: Node, shared: Mapping[str, Node]) -> tuple[FieldRules, ...]:
    """Return the fields; the text ``shared`` stands for the shared field of that name."""
    return tuple(_field(name, each, shared) for name, each in node.entries().items())


def _field(name: str, node: Node, shared: Mapping[str, Node]) -> FieldRules:
    if node.value == SHARED:
        if name not in shared:
            raise node.bad(f"no shared field has this name; they are {', '.join(shared)}")
        node = shared[name]
    parts = node.entries(_KEYS)
    errors = _errors(parts)
    required = "required" in parts and parts["required"].flag()
    names = ["type", *(key for key in parts if key in CHECKS and key != "type")]
    return FieldRules(
        name,
        errors.get("missing", _of_entry(name, missing(last_name(name)))) if required else None,
        tuple(_rule(name, rule, parts.get(rule), errors) for rule in names),
        errors.get("empty"),
    )


def _errors(parts: Mapping[str, Node]) -> dict[str, VendorError]:
    if "errors" not in parts:
        return {}
    entries = parts["errors"].entries(_ERROR_KEYS)
    return {key: parse_field_error(each) for key, each in entries.items()}


def _rule(name: str, rule: str, node: Node | None, errors: Mapping[str, VendorError]) -> FieldRule:
    demand = _demand(rule, node) if node else ("text",)
    usual = _of_entry(name, _usual_error(last_name(name), rule, demand))
    is_about_value = usual.code.endswith("_value_invalid")
    error = errors.get(rule) or (errors.get(VALUE) if is_about_value else None)
    return FieldRule(rule, demand, error or usual)


def _usual_error(name: str, rule: str, demand: object) -> VendorError:
    if rule == "longest":
        text = f"{name} can include a maximum of {demand} characters."
        return invalid(f"{name}_length_exceeded", text)
    if rule == "shortest":
        text = f"{name} should include a minimum of {demand} characters."
        return invalid(f"{name}_length_short", text)
    return value_invalid(name)


def _of_entry(path: str, error: VendorError) -> VendorError:
    """Return the error as it is worded for an entry of a batch, if the field is one of entries."""
    if EACH not in path:
        return error
    text = f"{error.message.removesuffix('.')} for entry at sequence $sequence."
    return replace(error, message=text)


def _demand(rule: str, node: Node) -> Any:  # noqa: ANN401 - each rule has its own
    if rule == "type":
        types = node.items() if isinstance(node.value, list) else [node]
        return tuple(each.one_of(TYPES) for each in types)
    if rule == "like":
        return _form(node)
    if rule in ("one_of", "each"):
        return [each.value for each in node.items()]
    if rule in ("shortest", "longest", "recent_s"):
        return int(node.number())
    if node.value is not True:
        raise node.bad("write true, or leave the rule out")
    return True


def _form(node: Node) -> str:
    try:
        re.compile(node.text())
    except re.error as error:
        raise node.bad(f"write a regular expression ({error})") from error
    return node.text()
