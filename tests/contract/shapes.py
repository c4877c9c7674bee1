"""JSON Schema (2020-12) of an operation's requests and replies, from its excerpt.

A reply's fields are described as in this example::

    reply:
      reference_id: integer
      pincode: string or integer              # the pages show both
      father_name: string or null
      user_details: {name: string, dob: string}
      document_requested: [string]
      categories: {categories: [{class_of_vehicle: string}]}
      challan_details: object                 # nothing is published about what is in it

An object has no other fields than these. A value that is null in a published reply may be null.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.contract.excerpts import Excerpt

TYPES = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})


def request_schema(
    excerpt: Excerpt, narrower: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Describe a request: its fields in the body, or in the path and the query."""
    fields = {name: {**rule} for name, rule in excerpt.request.items()}
    for name, rules in (narrower or {}).items():
        fields[name] |= rules
    return _rule({"type": "object", "properties": fields})


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Describe one value; ``required: true`` of a field becomes its object's list of names."""
    described = {key: value for key, value in rule.items() if key != "required"}
    if "items" in rule:
        described["items"] = _rule(rule["items"])
    if "properties" in rule:
        fields = rule["properties"]
        described |= _object({name: _rule(each) for name, each in fields.items()})
        described["required"] = [name for name, each in fields.items() if each.get("required")]
    return described


def reply_schema(excerpt: Excerpt) -> dict[str, Any]:
    """Describe a reply."""
    try:
        return _schema(excerpt.reply, [answer.body for answer in excerpt.answers if answer.body])
    except ValueError as error:
        raise ValueError(f"{excerpt.name}.yaml: reply: {error}") from error


def _schema(shape: object, published: list[Any]) -> dict[str, Any]:
    """Describe one value; ``published`` are the values that published replies have there."""
    schema = _of_shape(shape, published)
    if None in published and "type" in schema:
        schema["type"] = [*_list(schema["type"]), "null"]
    return schema


def _of_shape(shape: object, published: list[Any]) -> dict[str, Any]:
    match shape:
        case Mapping():
            return _object({name: _schema(shape[name], _under(name, published)) for name in shape})
        case [item]:
            return {"type": "array", "items": _schema(item, _items(published))}
        case "any":
            return {}
        case str() if (types := shape.split(" or ")) and TYPES.issuperset(types):
            return {"type": types if len(types) > 1 else shape}
    raise ValueError(
        f"{shape!r} is not a type; write a name such as string, a mapping or a list of one item"
    )


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {**properties}, "additionalProperties": False}


def _under(name: str, published: Iterable[Any]) -> list[Any]:
    return [each[name] for each in published if isinstance(each, Mapping) and name in each]


def _items(published: Iterable[Any]) -> list[Any]:
    return [item for each in published if isinstance(each, list) for item in each]


def _list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types
