"""The model of a kind of verification, as data. Everything else is driven by these records.

The worker asks an `Operation` what to call and what an answer means; the producer's side asks a
`Kind` what a request must look like. Neither has a branch on a kind's name anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError

from satyapan.canonical import canonical
from satyapan.errors import Fault, InvalidRequest
from satyapan.records import State

Signature = tuple[int, str]
"""(HTTP status, vendor's code). Never the code alone: DigiLocker's 409 has the code of a 400."""


ALWAYS_PUBLIC: Final = frozenset({"verification_id", "reference_id", "status"})
"""Fields that are public in every kind: ids and words of which events and logs consist."""


class Mode(StrEnum):
    """How a verification of this kind comes to its answer."""

    SYNC = "sync"
    """The create call's reply is the answer."""
    JOURNEY = "journey"
    """A person has to act in a browser; status reads decide."""
    RESOURCE = "resource"
    """The create call makes something that many share; one creation at a time, then cached."""


class Recovery(StrEnum):
    """What may be done when a paid call's outcome is unknown."""

    READ = "read"
    """Its status can be read by our id."""
    REPEAT = "repeat"
    """It can't be read, but the vendor refuses a second call with the same id."""
    NONE = "none"
    """Neither: a repeat could be paid for twice, so a person decides."""


class Role(StrEnum):
    """Which of an operation's routes a call goes to."""

    CREATE = "create"
    STATUS = "status"
    DOCUMENT = "document"


class Reply(Schema):
    """Base of what the vendor sends: known fields are checked, others are dropped."""

    class Meta:
        """Newer fields of the vendor must not make an answer that was paid for unreadable."""

        unknown = EXCLUDE


@cache
def schema(of: type[Schema]) -> Schema:
    """Return the one instance of a schema; making one takes 20 us of CPU. Threads share it."""
    return of()


@dataclass(frozen=True)
class Route:
    """One HTTP method and path of the vendor.

    `name` is the quota key: limits are per account and route. `path` may hold `{item}` (the
    document that is fetched). `echoes` are the reply's fields that repeat what we know, besides our
    id: fields of the request, `reference_id`. A reply that says something else there isn't ours.
    """

    name: str
    method: str
    path: str
    reply: type[Schema]
    echoes: tuple[str, ...] = ()
    per_minute: int = 100


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
    id_field: str | None = "verification_id"
    """The request field that carries our id; None where the vendor takes none."""
    own_fields: frozenset[str] = frozenset()
    """Request fields that are for us, not for the vendor."""
    redirect_field: str | None = None
    link_field: str | None = None
    """The reply field with the link a person (or many) will open."""
    requested_field: str = ""
    """The request field that lists what the person is asked to share."""
    items_field: str | None = None
    """The status field that lists what can be fetched from the document route (may be null)."""
    item_fields: Mapping[str, str] = field(default_factory=dict)
    """Document to the field that only its reply has, where the reply doesn't name its document."""
    duplicates: frozenset[Signature] = frozenset()
    missing: frozenset[Signature] = frozenset()
    """Answers that mean "I don't know this id"."""
    gone: frozenset[str] = frozenset()
    """Codes (HTTP 400) that end one document's fetch for good."""
    events: Mapping[str, str] = field(default_factory=dict)
    """Webhook event to the status word it claims; "" only asks for a status check."""
    webhook_only_statuses: frozenset[str] = frozenset()
    """Status words that only a webhook reports: the status route goes on answering "pending"."""
    visitor_events: Mapping[str, State] = field(default_factory=dict)
    """Webhook events of people who use a shared link, under ids that we never issued."""
    link_life_s: int = 0
    data_life_s: int = 0

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


@dataclass(frozen=True)
class Kind:
    """A sort of verification: what a producer sends, who serves it, what may be shown of it."""

    name: str
    title: str
    request: type[Schema]
    operations: Mapping[str, Operation]
    public_fields: frozenset[str]
    """Fields of request and result that may be shown in clear, besides `ALWAYS_PUBLIC`.

    Every other field is private, with all that is nested in it.
    """
    result_fields: tuple[str, ...]
    """The documented fields of the answer. The vendor may send more, which are kept too."""
    return_url_field: str = ""
    """The request field with the address that a person is sent on to; settings allow its hosts."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What each of the vendor's result words says, for people."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """A request that the vendor's own test data answers."""
    lost_answer: str = "park"
    """When a paid answer is lost for good: park | fail | reissue (settings may say otherwise)."""

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

    def is_public(self, field: str) -> bool:
        """Return True if a field of request or result may be shown in clear."""
        return field in ALWAYS_PUBLIC or field in self.public_fields

    def operation(self, vendor: str) -> Operation:
        """Return the vendor's operation for this kind."""
        return self.operations[vendor]


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
