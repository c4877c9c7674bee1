"""Check a request's fields as the vendor does: report one fault, the first in the file's order."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from sandbox.definitions.field_paths import ABSENT, values_at
from sandbox.definitions.model import FieldRules, VendorOperation
from sandbox.errors import RefusedCall, VendorError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
TYPES = tuple(_TYPES)


@dataclass(frozen=True)
class Circumstances:
    """What rules depend on besides the value: the time, and whether plain http is allowed here."""

    now: float
    loopback: bool


Check = Callable[[Any, Any, Circumstances], bool]


def check_request(
    operation: VendorOperation, given: Mapping[str, Any], circumstances: Circumstances
) -> None:
    """Refuse a request with the error of the first rule that it breaks."""
    for each in operation.fields:
        for found in values_at(each.name, given):
            error = _broken(each, found.value, circumstances)
            if error:
                raise RefusedCall(_with_sequence(error, found.sequence))
    choice = operation.needs_one_of
    if choice and not any(given.get(name) for name in choice.fields):
        raise RefusedCall(choice.error)


def _broken(each: FieldRules, value: object, circumstances: Circumstances) -> VendorError | None:
    if each.empty and value == "":
        return each.empty
    is_missing = value is ABSENT or value is None or (value == "" and _is_text(each))
    if each.missing and is_missing:
        return each.missing
    if value is ABSENT:
        return None
    for rule in each.rules:
        if not CHECKS[rule.name](value, rule.demand, circumstances):
            return rule.error
    return None


def _is_text(each: FieldRules) -> bool:
    return any(rule.name == "type" and "text" in rule.demand for rule in each.rules)


def _with_sequence(error: VendorError, sequence: int | None) -> VendorError:
    return replace(error, message=error.message.replace("$sequence", str(sequence)))


def _has_type(value: object, names: Collection[str], _: Circumstances) -> bool:
    is_stray_bool = isinstance(value, bool) and "boolean" not in names
    return not is_stray_bool and any(isinstance(value, _TYPES[name]) for name in names)


def _length(value: Any) -> int:  # noqa: ANN401 - a text, a list or a number
    return len(str(value)) if isinstance(value, int | float) else len(value)


def _is_date(value: str, _: object, __: Circumstances) -> bool:
    try:
        return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False


def _is_recent(value: str, seconds: float, circumstances: Circumstances) -> bool:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return abs(circumstances.now - moment.timestamp()) <= seconds


def _is_https(value: str, _: object, circumstances: Circumstances) -> bool:
    return value.startswith("https") or (circumstances.loopback and _is_of_this_machine(value))


def _is_url(value: str, _: object, circumstances: Circumstances) -> bool:
    is_https = value.startswith("https://") and _host(value) is not None
    return is_https or (circumstances.loopback and _is_of_this_machine(value))


def _is_of_this_machine(value: str) -> bool:
    return value.startswith("http://") and _host(value) in LOOPBACK_HOSTS


def _host(url: str) -> str | None:
    if any(character <= " " or character in '<>"\\^`{|}' for character in url):
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if host and _HOST.fullmatch(host) else None


CHECKS: Mapping[str, Check] = {
    "type": _has_type,
    "like": lambda value, form, _: bool(re.fullmatch(form, str(value))),
    "one_of": lambda value, choices, _: value in choices,
    "date": _is_date,
    "recent_s": _is_recent,
    "https": _is_https,
    "url": _is_url,
    "shortest": lambda value, least, _: _length(value) >= least,
    "longest": lambda value, most, _: _length(value) <= most,
    "each": lambda value, choices, _: all(each in choices for each in value),
    "unique": lambda value, _, __: len(set(value)) == len(value),
}
"""Does a value keep the rule? ``type`` comes first, so the others get a value of that type."""
