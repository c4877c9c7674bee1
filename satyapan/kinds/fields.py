"""Request fields that refuse in the vendor's wording, and reply fields that forgive its drift."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import And

Check = Callable[[Any], None]


def wording(code: str, message: str) -> dict[str, str]:
    """Make one fault: the vendor's code and its sentence."""
    return {"code": code, "message": message}


def refuse(code: str, message: str) -> ValidationError:
    """Make the error that a check raises."""
    return ValidationError(wording(code, message))


def missing(name: str) -> dict[str, str]:
    """Word the fault of a required field that is absent, null or empty."""
    return wording(f"{name}_missing", f"{name} is missing in the request.")


def at_most(name: str, length: int) -> Check:
    """Refuse longer texts: no request may grow without bound."""

    def check(value: str) -> None:
        if len(value) > length:
            message = f"{name} can have at most {length} characters."
            raise refuse(f"{name}_length_exceeded", message)

    return check


@dataclass(frozen=True)
class Stated:
    """A check that JSON Schema can express, too."""

    accepts: Callable[[str], object]
    code: str
    message: str
    schema: Mapping[str, Any]

    def __call__(self, value: str) -> None:
        """Refuse a text that is not accepted."""
        if not self.accepts(value):
            raise refuse(self.code, self.message)


def matches(pattern: str, code: str, message: str) -> Stated:
    """Refuse texts that don't match a pattern as a whole."""
    found = re.compile(pattern, re.ASCII).fullmatch
    return Stated(found, code, message, {"pattern": f"^(?:{pattern})$"})


def one_of(words: Collection[str], code: str, message: str) -> Stated:
    """Refuse all words but these."""
    return Stated(words.__contains__, code, message, {"enum": [*words]})


def day(code: str, message: str) -> Stated:
    """Refuse texts that are not a date, YYYY-MM-DD."""
    return Stated(_is_day, code, message, {"format": "date"})


def _is_day(value: str) -> bool:
    """Python's parser alone would also take YYYYMMDD and week dates."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def text(
    name: str, *checks: Check, required: bool = True, length: int = 200, rule: str = ""
) -> fields.String:
    """Build a text field of a request; `rule` says for people what `checks` ask for.

    `Stated` checks are also in the JSON Schema of the kind.
    """
    stated: dict[str, Any] = {"minLength": 1} if required else {}
    for each in checks:
        stated |= each.schema if isinstance(each, Stated) else {}
    kind = wording(f"{name}_value_invalid", f"{name} should be text.")
    rules = And(at_most(name, length), *checks)

    def check(value: str) -> None:
        # As the vendor says it, an empty text is missing, and nothing else is wrong with it.
        if required and not value.strip():
            raise ValidationError(missing(name))
        rules(value)

    return fields.String(
        required=required,
        allow_none=not required,
        validate=check,
        metadata={
            "rule": rule or f"at most {length} characters",
            "schema": stated | {"maxLength": length},
        },
        error_messages={
            "required": missing(name),
            "null": missing(name),
            "invalid": kind,
            "invalid_utf8": kind,
        },
    )


class Loose(fields.Field[str | None]):
    """A reply's text that the vendor sometimes sends as a number; kept as text."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ValidationError("should be text or a number")
        return None if value is None else str(value)


def loose(*, required: bool = False) -> Loose:
    """Build a reply field for text, number or null."""
    return Loose(required=required, allow_none=not required)
