"""The reply table: (HTTP status, vendor's code) to an outcome. Pure, and total over any reply.

Source: the three vendor pages; docs/vendor.md has the table and says what is a guess.
Decided on the pair, never on the code alone: DigiLocker's 409 has the code of a 400. What the
route declares comes first, then the table, then the status. What no page documents is
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

from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED
from satyapan.kinds.model import (
    ANY_CODE,
    AnswerMeaning,
    Meaning,
    Operation,
    RefusedField,
    Result,
    Role,
    Route,
    Signature,
)
from shared.scrub import KEPT, scrub_object
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.wire import Raw

BY_SIGNATURE: Final[Mapping[Signature, Outcome]] = {
    (400, "x-client-id_missing"): Outcome.STOPPED,
    (400, "x-client-secret_missing"): Outcome.STOPPED,
    (400, "x-client-secret_value_invalid"): Outcome.STOPPED,
    (422, "insufficient_balance"): Outcome.STOPPED,
}
BY_STATUS: Final[Mapping[int, Outcome]] = {
    400: Outcome.REFUSED,
    401: Outcome.STOPPED,
    403: Outcome.STOPPED,
    429: Outcome.THROTTLED,
}
"""What a status means whatever the code. All others are UNKNOWN. Among them 422 with another code
than the balance's: elsewhere the vendor answers so after the work was done, and here it documents
none; and 409 with a code that the operation doesn't know."""
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
    vendor_id: str
    known: Mapping[str, Any] = field(repr=False)
    """What the reply may repeat, by field: what was sent, and what earlier replies said."""
    item: str = ""

    @property
    def route(self) -> Route:
        """Return the route that was called."""
        return self.operation.route(self.role)


def classify(asked: Asked, raw: Raw, body: object, now: float) -> Answer:
    """Say what a complete reply means. `body` is what `parse` gave, `now` is Unix seconds."""
    answer = _classify(asked, raw, body, now)
    named = raw.status == HTTPStatus.OK and _repeats(asked, body)
    if raw.trailed and not named:
        # It repeats nothing of ours: it may be late, with the reply to this call behind it. So a
        # reference that it names may be another call's, too.
        code = answer.code if answer.outcome is Outcome.UNKNOWN else "trailing_bytes"
        answer = Answer(outcome=Outcome.UNKNOWN, http=raw.status, code=code)
    return replace(answer, limit=_limit(raw.headers))


def _classify(asked: Asked, raw: Raw, body: object, now: float) -> Answer:
    if raw.status == HTTPStatus.OK:
        return _accepted(asked, body)
    if _foreign(asked, body):
        # None of the vendor's examples of errors names an id.
        return Answer(outcome=Outcome.UNKNOWN, http=raw.status, code="foreign_id")
    code = _code(raw.status, body)
    meaning = _declared(asked.route, raw.status, code, body)
    if isinstance(meaning, Result):
        return _negative(asked, raw.status, code, body, meaning)
    outcome, code = _judge(asked.role, raw.status, code, body, meaning)
    throttled = outcome is Outcome.THROTTLED
    field = _refused(outcome, code, meaning)
    if asked.role is Role.CREATE and field and field == asked.operation.redirect_field:
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
    """Check a 200: an object with a status and the link, about what we asked for."""
    clean = _scrubbed(asked, body)
    if clean is None:
        return Answer(outcome=Outcome.UNKNOWN, http=200, code="garbled")
    if _foreign(asked, clean, *asked.route.echoes) or _another_item(asked, clean):
        return Answer(outcome=Outcome.UNKNOWN, http=200, code="foreign_id")
    status, reference = asked.route.status_of(clean, asked.known), _reference(body)
    if asked.role is not Role.DOCUMENT and not (status and _complete(asked, clean)):
        # As with an error: a call without an id of ours can be read by what it names.
        return Answer(outcome=Outcome.UNKNOWN, http=200, code="garbled", reference=reference)
    return Answer(outcome=Outcome.OK, http=200, reference=reference, status=status, body=clean)


def _negative(asked: Asked, http: int, code: str, body: object, result: Result) -> Answer:
    """Return an error answer that is a result: what was asked for doesn't exist, for example."""
    clean, reference = _scrubbed(asked, body) or {}, _reference(body)
    ok = Answer(outcome=Outcome.OK, http=http, code=code, reference=reference, body=clean)
    return replace(ok, status=result.status)


def _scrubbed(asked: Asked, body: object) -> dict[str, Any] | None:
    """Copy a reply with Aadhaar numbers masked; None if it isn't an object, or nested too deep."""
    operation, route = asked.operation, asked.route
    named = {*operation.unmasked_fields, *operation.handoff_fields, *route.echoes, route.echo_field}
    return scrub_object(body, KEPT.union(named - {""}))


def _complete(asked: Asked, body: Mapping[str, Any]) -> bool:
    """Return True if a reply has our id where its route repeats it, and the link of a create."""
    wanted = [asked.route.echo_field] if asked.route.echo_field else []
    if asked.role is Role.CREATE and asked.operation.link_field:
        wanted.append(asked.operation.link_field)
    found = [body.get(name) for name in wanted]
    return all(isinstance(each, str | int) and each != "" for each in found)


def _foreign(asked: Asked, body: object, *echoes: str) -> bool:
    """Return True if a reply names another id than ours, or another value of these fields."""
    if not isinstance(body, dict):
        return False
    return any(
        not _is_same(asked.route, name, str(body[name]), known)
        for name, known in _echoed(asked, body).items()
        if name in {asked.route.echo_field, *echoes}
    )


def _is_same(route: Route, name: str, said: str, known: str) -> bool:
    """Compare a repeated value with the known one; our id always exactly."""
    if route.any_case and name != route.echo_field:
        return said.casefold() == known.casefold()
    return said == known


def _repeats(asked: Asked, body: object) -> bool:
    """Return True if a reply names our id, or another value that we know."""
    return isinstance(body, dict) and bool(_echoed(asked, body))


def _echoed(asked: Asked, body: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that we know of the fields that a reply repeats."""
    known = {**asked.known, asked.route.echo_field: asked.vendor_id}
    names = filter(None, (asked.route.echo_field, *asked.route.echoes))
    return {
        name: str(known[name]) for name in names if known.get(name) and body.get(name) is not None
    }


def _another_item(asked: Asked, body: Mapping[str, Any]) -> bool:
    """Return True if a document has the field of another one and lacks its own."""
    names = asked.operation.item_fields
    if asked.role is not Role.DOCUMENT or asked.item not in names:
        return False
    present = {item for item, name in names.items() if body.get(name)}
    return bool(present) and asked.item not in present


def _judge(
    role: Role, status: int, code: str, body: object, meaning: AnswerMeaning | RefusedField | None
) -> tuple[Outcome, str]:
    """Look a reply up: what its route declares, the table, the status."""
    if meaning is AnswerMeaning.NOT_ENABLED or _product_is_off(role, status, code, body):
        return Outcome.NOT_ENABLED, NOT_ENABLED
    if isinstance(meaning, AnswerMeaning):
        return Outcome(meaning), code
    if isinstance(meaning, RefusedField):
        return Outcome.REFUSED, code
    if status in _REDIRECTS:
        return Outcome.UNKNOWN, "redirected"
    if role is Role.CREATE and status == HTTPStatus.NOT_FOUND:
        return Outcome.MISSING, code
    if (status, code) == (502, "verification_failed") and _wants_test_data(body):
        return Outcome.REFUSED, "test_data_only"
    if status == HTTPStatus.ACCEPTED and role is not Role.CREATE:
        return Outcome.WAIT, code
    outcome = BY_SIGNATURE.get((status, code)) or BY_STATUS.get(status, Outcome.UNKNOWN)
    return outcome, code


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


def _declared(route: Route, status: int, code: str, body: object) -> Meaning | None:
    """Return the meaning that a route declares for an answer: for its code, or for any."""
    coded = isinstance(body, dict) and isinstance(body.get("code"), str) and body["code"]
    of_any = route.answers.get((status, ANY_CODE)) if coded else None
    return route.answers.get((status, code), of_any)


def _refused(outcome: Outcome, code: str, meaning: Meaning | None) -> str:
    """Name the field of a refusal: the kind's, or the one in the vendor's code."""
    if outcome not in {Outcome.REFUSED, Outcome.MISSING}:
        return ""
    if isinstance(meaning, RefusedField):
        return meaning.name
    match = _FIELD.fullmatch(code)
    return match["field"] if match else ""


def _reference(body: object) -> str:
    """Find the vendor's own id: at the top, or in an error's details; as text."""
    if not isinstance(body, dict):
        return ""
    for place in (body, body.get("error")):
        for name in ("reference_id", "ref_id", "refId", "bulk_reference_id"):
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
