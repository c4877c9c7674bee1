"""Check a request's fields as the vendor does: report one fault, the first in the file's order."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from sandbox.definitions.model import FieldRules
from sandbox.errors import RefusedCall

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

Check = Callable[[Any, Any], bool]


def check_fields(
    fields: tuple[FieldRules, ...], given: Mapping[str, Any], *, loopback: bool
) -> None:
    """Refuse a request with the error of the first rule that it breaks.

    ``loopback`` also allows plain http addresses of this machine.
    """
    for each in fields:
        value = given.get(each.name)
        if each.missing and _is_missing(each, value):
            raise RefusedCall(each.missing)
        if each.name in given:
            _check_value(each, value, loopback=loopback)


def _is_missing(each: FieldRules, value: object) -> bool:
    is_text = any(rule.name == "type" and rule.demand == "text" for rule in each.rules)
    return value is None or (is_text and value == "")


def _check_value(each: FieldRules, value: object, *, loopback: bool) -> None:
    for rule in each.rules:
        if loopback and rule.name in ("https", "url") and _is_of_this_machine(value):
            continue
        if not CHECKS[rule.name](value, rule.demand):
            raise RefusedCall(rule.error)


def _has_type(value: object, name: str) -> bool:
    is_stray_bool = isinstance(value, bool) and name != "boolean"
    return isinstance(value, _TYPES[name]) and not is_stray_bool


def _is_date(value: str, _: object) -> bool:
    try:
        return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False


def _is_url(value: str, _: object) -> bool:
    return value.startswith("https://") and _host(value) is not None


def _is_of_this_machine(value: object) -> bool:
    is_http = isinstance(value, str) and value.startswith("http://")
    return is_http and _host(str(value)) in LOOPBACK_HOSTS


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
    "like": lambda value, form: bool(re.fullmatch(form, value)),
    "one_of": lambda value, choices: value in choices,
    "date": _is_date,
    "https": lambda value, _: value.startswith("https"),
    "url": _is_url,
    "shortest": lambda value, least: len(value) >= least,
    "longest": lambda value, most: len(value) <= most,
    "each": lambda value, choices: all(each in choices for each in value),
    "unique": lambda value, _: len(set(value)) == len(value),
}
"""Does a value keep the rule? ``type`` comes first, so the others get a value of that type."""
