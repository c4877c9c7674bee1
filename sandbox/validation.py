"""Validate requests as the vendor does: report one fault, the first in the order of the fields."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from sandbox import errors
from sandbox.errors import RefusedCall, missing, value_invalid

DOCUMENTS = ("AADHAAR", "PAN", "DRIVING_LICENSE")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
_LONGEST_ID = 50

Fields = Mapping[str, Any]


def is_legal_id(value: object) -> bool:
    """Return True if ``value`` follows the vendor's rule for a verification_id."""
    return isinstance(value, str) and len(value) <= _LONGEST_ID and bool(_NAME.fullmatch(value))


def text(fields: Fields, field: str) -> str:
    """Return a required text field; missing, null and empty are the same fault."""
    value = fields.get(field)
    if value is None or value == "":
        raise RefusedCall(missing(field))
    if not isinstance(value, str):
        raise RefusedCall(value_invalid(field))
    return value


def optional_text(fields: Fields, field: str) -> str | None:
    """Return an optional text field, None when absent; the vendor's page allows no null."""
    if field not in fields:
        return None
    value = fields[field]
    if not isinstance(value, str):
        raise RefusedCall(value_invalid(field))
    return value


def verification_id(fields: Fields) -> str:
    """Return the client's id."""
    value = fields.get("verification_id")
    if value is None or value == "":
        raise RefusedCall(missing("verification_id"))
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise RefusedCall(errors.ID_CHARACTERS)
    if len(value) > _LONGEST_ID:
        raise RefusedCall(errors.ID_LENGTH)
    return value


def date_of_birth(fields: Fields) -> str:
    """Return the date of birth as it was sent; it must be a real date."""
    value = fields.get("dob")
    if value is None or value == "":
        raise RefusedCall(missing("dob"))
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise RefusedCall(errors.DOB_FORMAT)
    try:
        date.fromisoformat(value)
    except ValueError:
        raise RefusedCall(errors.DOB_FORMAT) from None
    return value


def documents(fields: Fields) -> tuple[str, ...]:
    """Return the requested documents, in the order in which they were sent."""
    value = fields.get("document_requested")
    if value is None:
        raise RefusedCall(missing("document_requested"))
    if not isinstance(value, list):
        raise RefusedCall(errors.DOCUMENTS_UNKNOWN)
    if not value:
        raise RefusedCall(errors.DOCUMENTS_EMPTY)
    if any(document not in DOCUMENTS for document in value):
        raise RefusedCall(errors.DOCUMENTS_UNKNOWN)
    if len(set(value)) != len(value):
        raise RefusedCall(errors.DOCUMENTS_REPEATED)
    return tuple(value)


def redirect_url(fields: Fields, *, loopback: bool) -> str | None:
    """Return the redirect address; ``loopback`` also allows plain http to this machine."""
    if "redirect_url" not in fields:
        return None
    value = fields["redirect_url"]
    if not isinstance(value, str):
        raise RefusedCall(errors.REDIRECT_NOT_URL)
    if loopback and value.startswith("http://") and _host(value) in LOOPBACK_HOSTS:
        return value
    if not value.startswith("https"):
        raise RefusedCall(errors.REDIRECT_NOT_HTTPS)
    if not value.startswith("https://") or _host(value) is None:
        raise RefusedCall(errors.REDIRECT_NOT_URL)
    return value


def _host(url: str) -> str | None:
    if any(character <= " " or character in '<>"\\^`{|}' for character in url):
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if host and _HOST.fullmatch(host) else None


def user_flow(fields: Fields) -> str | None:
    """Return ``signin`` or ``signup``, or None if neither was sent."""
    if "user_flow" not in fields:
        return None
    value = fields["user_flow"]
    if value not in ("signin", "signup"):
        raise RefusedCall(errors.USER_FLOW)
    return str(value)


def template_name(fields: Fields) -> str:
    """Return the name of a template."""
    value = fields.get("template_name")
    if value is None or value == "":
        raise RefusedCall(missing("template_name"))
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise RefusedCall(errors.TEMPLATE_CHARACTERS)
    return value
