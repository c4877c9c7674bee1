"""Request fields that refuse in the vendor's wording."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import And

Check = Callable[[Any], None]
Field = fields.Field[Any]
Builder = Callable[[str], Field]
"""Makes the field of a name, whose faults then say that name."""
USUAL_CODE: Final = "{name}_value_invalid"
"""The code of a fault about a value, unless the vendor has another one."""


def wording(code: str, message: str) -> dict[str, str]:
    """Make one fault: the vendor's code and its sentence."""
    return {"code": code, "message": message}


def refuse(code: str, message: str) -> ValidationError:
    """Make the error that a check raises."""
    return ValidationError(wording(code, message))


def missing(name: str) -> dict[str, str]:
    """Word the fault of a required field that is absent, null or empty."""
    return wording(f"{name}_missing", f"{name} is missing in the request.")


def names(text: str) -> tuple[str, ...]:
    """Return the words of a text, for long lists of fields."""
    return tuple(text.split())


def at_most(name: str, length: int, called: str = "") -> Check:
    """Refuse longer texts: no request may grow without bound."""

    def check(value: str) -> None:
        if len(value) > length:
            message = f"{called or name} can include a maximum of {length} characters."
            raise refuse(f"{name}_length_exceeded", message)

    return check


@dataclass(frozen=True)
class Stated:
    """A check that JSON Schema can express, too.

    `{name}` in code and message stands for the field's name.
    """

    accepts: Callable[[str], object]
    message: str
    schema: Mapping[str, Any]
    code: str = USUAL_CODE

    def of(self, name: str) -> Check:
        """Return the check of a field of this name."""
        code, message = self.code.format(name=name), self.message.format(name=name)

        def check(value: str) -> None:
            if not self.accepts(value):
                # A new error each time: one that is raised again keeps the frames of every raise.
                raise refuse(code, message)

        return check


def matches(pattern: str, message: str, code: str = USUAL_CODE) -> Stated:
    """Refuse texts that don't match a pattern as a whole."""
    found = re.compile(pattern, re.ASCII).fullmatch
    return Stated(found, message, {"pattern": f"^(?:{pattern})$"}, code)


def one_of(words: Collection[str], message: str, code: str = USUAL_CODE) -> Stated:
    """Refuse all words but these."""
    return Stated(words.__contains__, message, {"enum": [*words]}, code)


def at_least(length: int) -> Stated:
    """Refuse shorter texts."""
    message = f"{{name}} should include a minimum of {length} characters."
    code = "{name}_length_short"
    return Stated(lambda value: len(value) >= length, message, {"minLength": length}, code)


def text(
    *checks: Check | Stated,
    required: bool = True,
    length: int = 200,
    called: str = "",
    rule: str = "",
    empty: str = "",
    check_digit: Callable[[str], bool] | None = None,
) -> Builder:
    """Describe a text of a request; `rule` says for people what `checks` ask for.

    `Stated` checks are also in the JSON Schema of the kind. `called` is what the vendor's message
    about a text that is too long calls the field, if not its name. `empty` is the vendor's sentence
    where it calls an empty text invalid, and not missing. `check_digit` returns False for a number
    that nobody was ever given; the vendor accepts it, so only a setting refuses it.
    """
    stated: dict[str, Any] = {"minLength": 1} if required else {}
    for each in checks:
        stated |= each.schema if isinstance(each, Stated) else {}

    def build(name: str) -> Field:
        own = [each.of(name) if isinstance(each, Stated) else each for each in checks]
        rules = And(at_most(name, length, called), *own)

        def check(value: str) -> None:
            # As the vendor says it, an empty text is missing, and nothing else is wrong with it.
            if required and not value.strip():
                invalid = wording(f"{name}_value_invalid", empty.format(name=name))
                raise ValidationError(invalid if empty else missing(name))
            rules(value)

        return fields.String(
            required=required,
            allow_none=not required,
            validate=check,
            metadata={
                "rule": rule or f"at most {length} characters",
                "schema": {"maxLength": length} | stated,
                "check_digit": check_digit,
            },
            error_messages=_type_faults(name, "text"),
        )

    return build


def _type_faults(name: str, wanted: str) -> dict[str, Any]:
    """Word the faults of an absent value and of one of another type."""
    wrong = wording(f"{name}_value_invalid", f"{name} should be {wanted}.")
    absent = missing(name)
    ways = dict.fromkeys(("invalid", "invalid_utf8", "type"), wrong)
    return {"required": absent, "null": absent, **ways}


def flag(rule: str, *, required: bool = True) -> Builder:
    """Describe a value that is true or false; a command line gives the words."""

    def build(name: str) -> Field:
        return fields.Boolean(
            required=required,
            allow_none=not required,
            truthy={True, "true"},
            falsy={False, "false"},
            metadata={"rule": rule},
            error_messages=_type_faults(name, "true or false"),
        )

    return build


def date(*, required: bool = True) -> Builder:
    """Describe a date, YYYY-MM-DD."""
    check = Stated(_is_date, "{name} should be of type YYYY-MM-DD.", {"format": "date"})
    return text(check, required=required, rule="a date, YYYY-MM-DD")


def _is_date(value: str) -> bool:
    # Python's parser alone would also take YYYYMMDD and week dates.
    try:
        return dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


class _Inner(Schema):
    """An object inside a request; what is null in it is dropped, as in the request itself."""

    @post_load
    def drop_nulls(self, loaded: Mapping[str, Any], **_: object) -> dict[str, Any]:
        return {name: value for name, value in loaded.items() if value is not None}


def nested(rule: str, /, *, required: bool = True, **parts: Builder) -> Builder:
    """Describe an object with fields of its own.

    As the vendor does it, codes and messages name a field inside without the object.
    """

    def build(name: str) -> Field:
        faults = _type_faults(name, "an object")
        inner = _Inner.from_dict({part: make(part) for part, make in parts.items()})
        inner.error_messages = faults
        return fields.Nested(
            inner,
            required=required,
            allow_none=not required,
            metadata={"rule": rule},
            error_messages=faults,
        )

    return build


@dataclass(frozen=True)
class Choice:
    """A rule across fields: one of these alternatives has to be given, each with all its fields."""

    alternatives: tuple[tuple[str, ...], ...]
    code: str
    message: str

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse a request without any. An empty text counts as missing, as for the vendor.

        Raises:
            ValidationError: it has none.
        """
        if not any(all(_is_given(given.get(n)) for n in each) for each in self.alternatives):
            # In a list: marshmallow would take a fault alone for faults by field.
            raise ValidationError([wording(self.code, self.message)])

    @property
    def schema(self) -> dict[str, Any]:
        """Return the rule in JSON Schema."""
        some = {"not": {"enum": [None, ""]}}
        return {
            "anyOf": [
                {"required": [*each], "properties": dict.fromkeys(each, some)}
                for each in self.alternatives
            ]
        }

    def __str__(self) -> str:
        """Return the rule in words."""
        return ", or ".join(" and ".join(each) for each in self.alternatives)


def _is_given(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def needs_one_of(*alternatives: str, code: str, message: str) -> Choice:
    """Make the rule that one alternative is given; one of several fields is written "dob name"."""
    return Choice(tuple(map(names, alternatives)), code, message)


def choice_of(schema: type[Schema]) -> Choice | None:
    """Return the rule across the fields of a request, if it has one."""
    found: Choice | None = getattr(schema, "choice", None)
    return found


def request(rule: Choice | None = None, /, **parts: Builder | Field) -> type[Schema]:
    """Build the schema of a request from its fields, and a rule across them.

    Other fields are refused.
    """
    built = {n: part(n) if callable(part) else part for n, part in parts.items()}
    base = _with_choice(rule) if rule else Schema
    return base.from_dict(built, name="Request")


def _with_choice(rule: Choice) -> type[Schema]:
    class Chosen(Schema):
        choice: ClassVar = rule

        class Meta:
            register = False

        @validates_schema(skip_on_field_errors=True)
        def check_choice(self, given: Mapping[str, Any], **_: object) -> None:
            rule.check(given)

    return Chosen
