"""The reply table: (HTTP status, vendor's code) to an outcome. Pure, and total over any reply.

Source: the three vendor pages; docs/vendor.md has the table and says what is a guess.
Decided on the pair, never on the code alone: DigiLocker's 409 has the code of a 400. An
operation's own signatures come first, then the table, then the status. What no page documents is
UNKNOWN: it may have been executed. Message texts are never kept; they can hold personal data.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from marshmallow import ValidationError

from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED
from satyapan.kinds.model import Mode, Operation, Role, Signature, schema
from shared.scrub import KEPT, scrub
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.wire import Raw

BY_SIGNATURE: Final[Mapping[Signature, Outcome]] = {
    (400, "x-client-id_missing"): Outcome.STOPPED,
    (400, "x-client-secret_missing"): Outcome.STOPPED,
    (400, "x-client-secret_value_invalid"): Outcome.STOPPED,
    (422, "insufficient_balance"): Outcome.STOPPED,
}
BY_STATUS: Final[Mapping[int, Outcome]] = {
    202: Outcome.WAIT,
    400: Outcome.REFUSED,
    401: Outcome.STOPPED,
    403: Outcome.STOPPED,
    429: Outcome.THROTTLED,
}
"""What a status means whatever the code. All others are UNKNOWN. Among them 422 with another code
than the balance's: elsewhere the vendor answers so after the work was done, and here it documents
none; and 409 with a code that the operation doesn't know."""
_GENERIC_CODES: Final[Mapping[tuple[Mode, str], str]] = {
    (Mode.JOURNEY, "invalid_request"): "document_requested"
}
"""Codes that name no field, where the page's examples are all about one."""
_FIELD: Final = re.compile(
    r"(?P<field>\w+?)_(?:missing|value_invalid|length_exceeded|length_short|not_found)", re.ASCII
)
_PRODUCT_OFF: Final = re.compile(r"service (?:is )?not enabled", re.IGNORECASE)
_SAFE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_LIMIT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_WAITS: Final = ("retry-after", "x-ratelimit-retry", "x-ratelimit-reset")
_REDIRECTS: Final = range(300, 400)
_PER_IP: Final = "too_many_requests_per_ip"
_WAIT_S: Final = 60.0
_WAIT_MOST_S: Final = 3600.0
_EPOCH: Final = 1e9
"""From here on (the year 2001) a number is a time, not a wait: gateways differ in what
`X-RateLimit-Reset` holds. In milliseconds it is a thousand times that."""
_EPOCH_MS: Final = _EPOCH * 1000


@dataclass(frozen=True)
class Asked:
    """What a call asked for. A reply that names something else belongs to another call."""

    operation: Operation
    role: Role
    known: Mapping[str, Any] = field(repr=False)
    """What the reply may repeat, by field: what was sent, and what earlier replies said."""
    item: str = ""


def classify(asked: Asked, raw: Raw, body: object, now: float) -> Answer:
    """Say what a complete reply means. `body` is what `parse` gave, `now` is Unix seconds."""
    answer = _classify(asked, raw, body, now)
    if raw.trailed and answer.outcome not in {Outcome.OK, Outcome.UNKNOWN}:
        # Only a 200 repeats our id. This may be late, with the reply to this call behind it.
        answer = Answer(outcome=Outcome.UNKNOWN, http=raw.status, code="trailing_bytes")
    return replace(answer, limit=_limit(raw.headers))


def _classify(asked: Asked, raw: Raw, body: object, now: float) -> Answer:
    operation, role = asked.operation, asked.role
    if raw.status == HTTPStatus.OK:
        return _accepted(asked, body)
    if _foreign(asked, body):
        # None of the vendor's examples of errors names an id.
        return Answer(outcome=Outcome.UNKNOWN, http=raw.status, code="foreign_id")
    code = _code(raw.status, body)
    outcome, code = _judge(operation, role, raw.status, code, body)
    throttled = outcome is Outcome.THROTTLED
    field = _refused(operation, role, outcome, code)
    if role is Role.CREATE and field and field == operation.redirect_field:
        outcome, code, field = Outcome.MISCONFIGURED, PUBLIC_URL_REFUSED, ""
    return Answer(
        outcome=outcome,
        http=raw.status,
        code=code,
        refused_field=field,
        reference=_reference(body),
        not_before_s=_wait(raw.headers, now) if throttled else 0.0,
        account_wide=throttled and code == _PER_IP,
    )


def _accepted(asked: Asked, body: object) -> Answer:
    """Check a 200: an object, of the route's shape, about what we asked for."""
    route = asked.operation.route(asked.role)
    kept = KEPT | {asked.operation.link_field or "", *route.echoes}
    garbled = Answer(outcome=Outcome.UNKNOWN, http=200, code="garbled")
    try:
        clean = scrub(body, kept)
        if not isinstance(clean, dict):
            return garbled
        loaded = schema(route.reply).load(clean)
    except (ValidationError, RecursionError):
        return garbled
    if _foreign(asked, clean, *route.echoes) or _another_item(asked, clean):
        return Answer(outcome=Outcome.UNKNOWN, http=200, code="foreign_id")
    return Answer(outcome=Outcome.OK, http=200, reference=_reference(body), body=loaded)


def _foreign(asked: Asked, body: object, *echoes: str) -> bool:
    """Return True if a reply names another id than ours, or another value of these fields."""
    if not isinstance(body, dict):
        return False
    for name in (asked.operation.id_field or "", *echoes):
        known, echoed = asked.known.get(name), body.get(name)
        if known and echoed is not None and str(echoed) != str(known):
            return True
    return False


def _another_item(asked: Asked, body: Mapping[str, Any]) -> bool:
    """Return True if a document has the field of another one and lacks its own."""
    names = asked.operation.item_fields
    if asked.role is not Role.DOCUMENT or asked.item not in names:
        return False
    present = {item for item, name in names.items() if body.get(name)}
    return bool(present) and asked.item not in present


def _judge(
    operation: Operation, role: Role, status: int, code: str, body: object
) -> tuple[Outcome, str]:
    """Look a reply up: the operation's own signatures, the table, the status."""
    own = _own(operation, role, (status, code))
    if own is not None:
        return own, code
    if status in _REDIRECTS:
        return Outcome.UNKNOWN, "redirected"
    if _product_is_off(role, status, code, body):
        return Outcome.NOT_ENABLED, NOT_ENABLED
    if role is Role.CREATE and status == HTTPStatus.NOT_FOUND:
        return Outcome.MISSING, code
    if (status, code) == (502, "verification_failed") and _wants_test_data(body):
        return Outcome.REFUSED, "test_data_only"
    outcome = BY_SIGNATURE.get((status, code)) or BY_STATUS.get(status, Outcome.UNKNOWN)
    return outcome, code


def _own(operation: Operation, role: Role, signature: Signature) -> Outcome | None:
    """Look among what the operation declares for itself."""
    if role is Role.CREATE:
        return Outcome.DUPLICATE if signature in operation.duplicates else None
    if signature in operation.missing:
        return Outcome.MISSING
    status, code = signature
    if role is Role.DOCUMENT and status == HTTPStatus.BAD_REQUEST and code in operation.gone:
        return Outcome.GONE
    return None


def _product_is_off(role: Role, status: int, code: str, body: object) -> bool:
    """Recognise both answers of a route whose product isn't enabled for the account.

    A create call's 404 without a code also comes from a wrong address; a read's proves nothing.
    """
    if (status, code) == (400, "invalid_request"):
        return bool(_PRODUCT_OFF.search(_message(body)))
    return role is Role.CREATE and code == "http_404"


def _wants_test_data(body: object) -> bool:
    """Recognise the sandbox's answer to input that isn't one of its fixtures."""
    return "test data" in _message(body).lower()


def _message(body: object) -> str:
    """Return the vendor's message, to be looked at and never kept."""
    return str(body.get("message")) if isinstance(body, dict) else ""


def _code(status: int, body: object) -> str:
    """Take the vendor's code if it is safe to show, else name the status."""
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) and _SAFE.fullmatch(code) else f"http_{status}"


def _refused(operation: Operation, role: Role, outcome: Outcome, code: str) -> str:
    """Derive the field that the vendor names, from its code."""
    if outcome not in {Outcome.REFUSED, Outcome.MISSING}:
        return ""
    if role is Role.CREATE and (operation.mode, code) in _GENERIC_CODES:
        return _GENERIC_CODES[operation.mode, code]
    match = _FIELD.fullmatch(code)
    return match["field"] if match else ""


def _reference(body: object) -> str:
    """Find the vendor's own id: at the top, or in an error's details; as text."""
    if not isinstance(body, dict):
        return ""
    for place in (body, body.get("error")):
        for name in ("reference_id", "ref_id", "refId"):
            found = place.get(name) if isinstance(place, dict) else None
            if isinstance(found, str | int) and not isinstance(found, bool):
                text = str(found) if isinstance(found, str) or abs(found) < 10**64 else ""
                return text if _SAFE.fullmatch(text) else ""
    return ""


def _limit(headers: Mapping[str, str]) -> int:
    """Read the limit that every answer carries; 0 for anything odd."""
    text = headers.get("x-ratelimit-limit", "")
    return int(text) if _LIMIT.fullmatch(text) else 0


def _wait(headers: Mapping[str, str], now: float) -> float:
    """Read how long the vendor wants us to wait; a minute unless it says."""
    for name in _WAITS:
        seconds = _seconds(headers.get(name, ""), now)
        if seconds is not None:
            return min(max(seconds, 1.0), _WAIT_MOST_S)
    return _WAIT_S


def _seconds(text: str, now: float) -> float | None:
    """Read seconds, a time since the epoch (s or ms) or an HTTP date; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return _until(text, now)
    if math.isnan(number):
        return None
    if number >= _EPOCH_MS:
        number /= 1000
    return number - now if number >= _EPOCH else number


def _until(text: str, now: float) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
