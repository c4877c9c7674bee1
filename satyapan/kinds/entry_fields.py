"""The request field of a batch: a list of entries, each with fields of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import ValidationError, fields

from satyapan.kinds.fields import Builder, Field, refuse, wording

EACH: Final = "[]."
"""Between the name of a list of entries and that of an entry's field: `entries[].pan`."""


@dataclass(frozen=True)
class Bound:
    """How many entries a batch has at least, or at most, and the refusal of another number."""

    count: int
    code: str
    message: str


def entries(
    entry: Builder, *, least: Bound, most: Bound | None = None, rule: str, numbered: bool = False
) -> Builder:
    """Describe a list of entries; `nested` describes one. A fault has the place of its entry.

    `numbered` adds to each message which entry it is about, as the vendor does, counting from 1.
    """
    stated = {"minItems": least.count} | ({"maxItems": most.count} if most else {})
    absent = wording(least.code, least.message)

    def check(value: list[Any]) -> None:
        if len(value) < least.count:
            raise refuse(least.code, least.message)
        if most and len(value) > most.count:
            raise refuse(most.code, most.message)

    def build(name: str) -> Field:
        wrong = wording(f"{name}_value_invalid", f"{name} should be a list.")
        of = _NumberedList if numbered else fields.List
        return of(
            entry("entry"),
            required=True,
            validate=check,
            metadata={"rule": rule, "schema": stated},
            error_messages={"required": absent, "null": absent, "invalid": wrong},
        )

    return build


class _NumberedList(fields.List[Any]):
    """A list whose faults say in words which entry they are about."""

    def _deserialize(self, value: object, *args: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        try:
            return super()._deserialize(value, *args, **options)
        except ValidationError as error:
            faults: Mapping[Any, Any] = error.messages_dict
            numbered = {place: _numbered(place + 1, each) for place, each in faults.items()}
            raise ValidationError(numbered) from None


def _numbered(number: int, message: object) -> object:
    """Number each message; marshmallow nests them."""
    if isinstance(message, list):
        return [_numbered(number, each) for each in message]
    if not isinstance(message, Mapping):
        return message
    if not isinstance(message.get("code"), str):
        return {name: _numbered(number, each) for name, each in message.items()}
    text = str(message["message"]).removesuffix(".")
    return wording(message["code"], f"{text} for entry at sequence {number}.")
