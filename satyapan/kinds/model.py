"""The model of a kind of verification, as data. Everything else is driven by these records.

The worker asks an `Operation` what to call and what an answer means; the producer's side asks a
`Kind` what a request must look like. Neither has a branch on a kind's name anywhere.
docs/adding-a-kind.md explains each field by an example; ADR 25 says why they are as they are.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final

from marshmallow import Schema, ValidationError

from satyapan.canonical import canonical
from satyapan.errors import Fault, InvalidRequest
from satyapan.ids import generation_id, hashed_id
from satyapan.kinds.entry_statuses import EntryStatuses
from satyapan.kinds.values import stated_status, time_ms, value_at, with_value
from satyapan.records import State

Signature = tuple[int, str]
"""(HTTP status, vendor's code). Never the code alone: DigiLocker's 409 has the code of a 400."""

ANY_CODE: Final = "*"
"""In a `Signature`: every code that the route doesn't list. For an answer of which only the HTTP
status is published; an answer without a code isn't meant, it may come from a gateway."""
ANY_ID: Final = r"[A-Za-z0-9._-]{1,50}"
"""The vendor's usual rule for our id."""
WORD_ID: Final = r"[A-Za-z0-9_]{1,40}"
"""Its rule for `user_id` of bank accounts and for `bulk_verification_id`."""


_NOTHING: Final[Mapping[str, Any]] = {}

ALWAYS_PUBLIC: Final = frozenset({"verification_id", "reference_id", "status"})
"""Fields that are public in every kind: ids and words of which events and logs consist."""


class Mode(StrEnum):
    """How a verification of this kind comes to its answer."""

    SYNC = "sync"
    """The create call's reply is the answer."""
    ASYNC = "async"
    """The vendor works on after the create call; status reads give the answer, nobody acts."""
    JOURNEY = "journey"
    """A person has to act in a browser; status reads decide."""
    RESOURCE = "resource"
    """The create call makes something that many share; one creation at a time, then cached."""


class Recovery(StrEnum):
    """What may be done when a paid call's outcome is unknown."""

    READ = "read"
    """Its status can be read by our id; repeated only if the vendor refuses a second call."""
    REFERENCE = "reference"
    """It can be read by the vendor's reference, if its answer named one; otherwise as NONE."""
    REPEAT = "repeat"
    """It can't be read, but the vendor refuses a second call with the same id."""
    NONE = "none"
    """Neither: a repeat could be paid for twice, so a person decides."""


class AnswerMeaning(StrEnum):
    """What an error answer of a route means, where the vendor's common table doesn't say it."""

    REFUSED = "refused"
    """The request is wrong; nothing was executed."""
    DUPLICATE = "duplicate"
    """The vendor has seen our id before."""
    MISSING = "missing"
    """The vendor doesn't know the id or the reference."""
    GONE = "gone"
    """This document can't be fetched any more."""
    WAIT = "wait"
    """Nothing was executed; the same call may be made again later."""
    NOT_ENABLED = "not_enabled"
    """The product isn't enabled for the account: the route is held."""
    UNKNOWN = "unknown"
    """The call may have been executed; the error may name the reference to read it by."""


REPEATED_ID: Final[Mapping[Signature, AnswerMeaning]] = {
    (409, "verification_id_already_exists"): AnswerMeaning.DUPLICATE
}
"""The vendor's usual refusal of a repeated id; some operations have another one, or none."""


@dataclass(frozen=True)
class Result:
    """The meaning of an error answer that is an answer: a paid one, with this status."""

    status: str


@dataclass(frozen=True)
class RefusedField:
    """The meaning of a refusal whose code names no field: it is about this one."""

    name: str


Meaning = AnswerMeaning | Result | RefusedField


class Role(StrEnum):
    """Which of an operation's routes a call goes to."""

    CREATE = "create"
    STATUS = "status"
    DOCUMENT = "document"


def vendor_of(key: str) -> str:
    """Return the vendor's part of a key of `Kind.operations`."""
    return key.partition("/")[0]


def operation_name(key: str) -> str | None:
    """Return the name by which a producer chooses an operation; None for the usual one."""
    return key.partition("/")[2] or None


@cache
def schema(of: type[Schema]) -> Schema:
    """Return the one instance of a schema; making one takes 20 us of CPU. Threads share it."""
    return of()


@dataclass(frozen=True)
class Route:
    """One HTTP method and path of the vendor: how to ask, and how to read what it answers.

    `name` is the quota key: limits are per account and route. `path` may hold `{item}` (the
    document that is fetched) and `{reference}` (the vendor's own id).
    """

    name: str
    method: str
    path: str
    per_minute: int = 100
    id_param: str = "verification_id"
    """The name of our id in the request; "" where the request doesn't name it."""
    reference_param: str = ""
    """The query parameter of a read by the vendor's reference."""
    echo_field: str = "verification_id"
    """The reply's field that repeats our id; "" where it doesn't. Another id there isn't ours."""
    echoes: tuple[str, ...] = ()
    """More fields of the reply that repeat what we know: request fields, `reference_id`."""
    any_case: bool = False
    """True if a capital and a small letter mean the same in `echoes`, as in a PAN."""
    status_field: str | tuple[str, str] = "status"
    """The path of the reply's status, or of two that make one: "VALID/ACCOUNT_IS_VALID". True and
    false are read as VALID and INVALID."""
    implied_status: tuple[str, str] | None = None
    """(field, status): the status of a reply that has no status, but this field."""
    entry_statuses: EntryStatuses | None = None
    """How to read the status of a batch, instead of `status_field`: each entry has its own."""
    answers: Mapping[Signature, Meaning] = field(default_factory=dict)
    """What its error answers mean, where the vendor's common table says something else."""

    @property
    def by_reference(self) -> bool:
        """Return True if the route is asked by the vendor's reference."""
        return bool(self.reference_param) or "{reference}" in self.path

    def status_of(self, reply: Mapping[str, Any], request: Mapping[str, Any] = _NOTHING) -> str:
        """Return the status that a reply states; "" if it states none.

        Without the `request` it isn't known how many entries a batch has.
        """
        if self.entry_statuses:
            return self.entry_statuses.status_of(reply, request)
        word = stated_status(reply, self.status_field)
        if not word and self.implied_status and value_at(reply, self.implied_status[0]) is not None:
            return self.implied_status[1]
        return word


@dataclass(frozen=True)
class Operation:
    """A vendor's way to serve a kind."""

    mode: Mode
    recovery: Recovery
    create: Route
    status_map: Mapping[str, State]
    """The vendor's status word to our state. A row with another word is parked for a person."""
    status: Route | None = None
    document: Route | None = None
    id_pattern: str = ANY_ID
    """The vendor's rule for our id; the worker derives one where ours breaks it."""
    own_fields: frozenset[str] = frozenset()
    """Request fields that are for us, not for the vendor."""
    max_age_s: Mapping[str, int] = field(default_factory=dict)
    """The path of a time in the request, to how old (seconds) it may be when the vendor gets it. A
    verification that can't be sent in time ends EXPIRED as `consent_stale`, unpaid."""
    redirect_field: str | None = None
    handoff_fields: tuple[str, ...] = ()
    """The reply fields with what a person (or many) needs to act: links, a QR code. The first is
    the link."""
    deadline_field: str = ""
    """The path of the time in a journey's create reply until which a person can act; without it,
    or if it can't be read, `link_life_s` counts."""
    requested_field: str = ""
    """The request field that lists what the person is asked to share."""
    items_field: str | None = None
    """The status field that lists what can be fetched from the document route (may be null)."""
    item_fields: Mapping[str, str] = field(default_factory=dict)
    """Document to the field that only its reply has, where the reply doesn't name its document."""
    unmasked_fields: frozenset[str] = frozenset()
    """Reply fields whose numbers look like Aadhaar numbers by chance (accounts, payments)."""
    events: Mapping[str, str] = field(default_factory=dict)
    """Webhook event to the status word it claims; "" only asks for a status check."""
    webhook_id_field: str = "verification_id"
    """The path of our id in a webhook's data."""
    webhook_only_statuses: frozenset[str] = frozenset()
    """Status words that only a webhook reports: the status route goes on answering "pending"."""
    visitor_events: Mapping[str, State] = field(default_factory=dict)
    """Webhook events of people who use a shared link, under ids that we never issued."""
    link_life_s: int = 0
    data_life_s: int = 0

    @property
    def repeatable(self) -> bool:
        """Return True if a call that may have been executed may be sent again under the same id.

        The vendor must be known to refuse a second one, or it could be paid for twice.
        """
        refused = AnswerMeaning.DUPLICATE in self.create.answers.values()
        return refused and self.recovery in {Recovery.READ, Recovery.REPEAT}

    @property
    def link_field(self) -> str:
        """Return the reply field with the link; "" if there is none."""
        return next(iter(self.handoff_fields), "")

    def route(self, role: Role) -> Route:
        """Return the route of a role.

        Raises:
            LookupError: the operation has none; its data and the rules disagree.
        """
        route = {Role.CREATE: self.create, Role.STATUS: self.status, Role.DOCUMENT: self.document}
        found = route[role]
        if found is None:
            raise LookupError(f"operation {self.create.name} has no {role} route")
        return found

    def stale(self, request: Mapping[str, Any], now_ms: int) -> bool:
        """Return True if a time in the request is older than the vendor accepts."""
        for path, seconds in self.max_age_s.items():
            said = time_ms(value_at(request, path))
            if said is not None and now_ms - said > seconds * 1000:
                return True
        return False

    def vendor_id(self, verification_id: str, generation: int) -> str:
        """Return the id of a generation as the vendor gets it; derived if its rule refuses ours."""
        own = generation_id(verification_id, generation)
        return own if re.fullmatch(self.id_pattern, own) else hashed_id(own)


@dataclass(frozen=True)
class Kind:
    """A sort of verification: what a producer sends, who serves it, what may be shown of it."""

    name: str
    title: str
    request: type[Schema]
    operations: Mapping[str, Operation]
    """By VENDOR the usual operation, by VENDOR/NAME another one that a producer may choose."""
    public_fields: Collection[str]
    """Fields of request and result that may be shown in clear, besides `ALWAYS_PUBLIC`.

    Every other field is private, with all that is nested in it.
    """
    result_fields: tuple[str, ...]
    """The documented fields of the answer, and those of an entry of a batch: `entries[].pan`. The
    vendor may send more, which are kept too."""
    return_url_field: str = ""
    """The request field with the address that a person is sent on to; settings allow its hosts."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What each of the vendor's result words says, for people."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """A request that the vendor's own test data answers, with any time: see `example_at`."""
    lost_answer: str = "park"
    """When a paid answer is lost for good: park | fail | reissue (settings may say otherwise)."""

    def example_at(self, now: datetime) -> dict[str, Any]:
        """Return the example as it can be sent now: times that have to be fresh are now."""
        example = dict(self.example)
        paths = {path for each in self.operations.values() for path in each.max_age_s}
        for path in paths:
            if value_at(example, path) is not None:
                example = with_value(example, path, f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
        return example

    def check(self, request: Mapping[str, Any], more: list[Fault] | None = None) -> dict[str, Any]:
        """Validate a request by the vendor's rules and return what will be stored.

        An optional field that is null is dropped: the vendor is sent the same as without it.

        Raises:
            InvalidRequest: with every fault at once, `more` first.
        """
        faults = list(more or [])
        checked: dict[str, Any] = {}
        try:
            loaded = schema(self.request).load(request)
            checked = {name: value for name, value in loaded.items() if value is not None}
        except ValidationError as error:
            faults += _faults(error.messages)
        faults += [_unwritable(name) for name, value in checked.items() if not _is_json(value)]
        if faults:
            raise InvalidRequest(faults)
        return checked

    def wrong_check_digits(self, request: Mapping[str, Any]) -> list[Fault]:
        """List the numbers in a checked request that nobody was ever given.

        The vendor accepts them, and is paid for saying that there is no such number.
        """
        known = schema(self.request).fields
        checks = {name: known[name].metadata.get("check_digit") for name in request}
        return [
            Fault(name, f"{name}_check_digit_wrong", f"{name} has a wrong check digit.")
            for name, holds in checks.items()
            if holds and not holds(request[name])
        ]

    def is_public(self, field: str) -> bool:
        """Return True if a field of request or result may be shown in clear."""
        return field in ALWAYS_PUBLIC or field in self.public_fields

    def operation(self, key: str) -> Operation:
        """Return the operation of a key; KeyError if there is none (a worker older than it)."""
        return self.operations[key]

    def other_operations(self, vendor: str) -> list[str]:
        """Return the names of the vendor's operations besides the usual one."""
        names = (operation_name(key) for key in self.operations if vendor_of(key) == vendor)
        return [name for name in names if name]


def _faults(messages: object, name: str = "") -> list[Fault]:
    """Flatten marshmallow's messages; ours are {"code", "message"}, its own are plain text."""
    if isinstance(messages, dict) and isinstance(messages.get("code"), str):
        return [Fault(name, messages["code"], messages["message"])]
    if isinstance(messages, dict):
        return [f for key, part in messages.items() for f in _faults(part, _joined(name, key))]
    if isinstance(messages, list):
        return [fault for part in messages for fault in _faults(part, name)]
    return [Fault(name, f"{name}_value_invalid", str(messages))]


def _is_json(value: object) -> bool:
    """Return True if a value can be stored; half of a surrogate pair, for example, can't."""
    try:
        canonical(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _unwritable(name: str) -> Fault:
    return Fault(name, f"{name}_value_invalid", f"{name} can't be written as JSON in UTF-8.")


def _joined(name: str, key: object) -> str:
    """Name a nested field; marshmallow files faults of the whole request under `_schema`."""
    if key == "_schema":
        return name or "request"
    return f"{name}.{key}" if name else str(key)
