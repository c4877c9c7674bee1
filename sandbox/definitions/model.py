"""An operation of the vendor as data: what a file in ``sandbox/operations`` says, parsed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sandbox.errors import COMMON, VendorError

Template = Any
"""JSON whose texts may contain names such as ``$pan``; see ``sandbox.definitions.templates``."""


@dataclass(frozen=True)
class FieldRule:
    """One rule of a field, what it demands, and the error of a value that breaks it."""

    name: str
    demand: Any
    error: VendorError


@dataclass(frozen=True)
class FieldRules:
    """One field of the request; ``missing`` is None if the field is optional.

    ``empty`` is the error for an empty text, where that isn't the same as a missing one.
    The name may be a path: ``user_consent.type``, or ``entries[].pan`` for each entry.
    """

    name: str
    missing: VendorError | None = None
    rules: tuple[FieldRule, ...] = ()
    empty: VendorError | None = None


@dataclass(frozen=True)
class OwnId:
    """The field with the client's id, and the answer to a repeated one (None: it is accepted)."""

    field: str
    repeated: VendorError | None = None


@dataclass(frozen=True)
class CannedReply:
    """One reply: a body, or an error; ``cut`` closes the connection instead of sending it."""

    status: int
    body: Template = None
    error: VendorError | None = None
    cut: str | None = None


@dataclass(frozen=True)
class InputAnswer:
    """The answer to the requests that match ``when``.

    ``executed``: the call is charged and uses up its id, as every answer without an error does.
    ``read`` is what a read returns, if not the same reply. ``becomes`` names the stage that follows
    the first one. ``sets`` are more values for bodies. ``send`` is a request that gets this answer;
    ``means`` describes it to people.
    """

    when: Mapping[str, Any]
    reply: CannedReply
    executed: bool
    read: CannedReply | None = None
    becomes: str | None = None
    sets: Mapping[str, Template] = field(default_factory=dict)
    send: Mapping[str, Any] = field(default_factory=dict)
    means: str = ""

    @property
    def starts_stages(self) -> bool:
        """Return True if reads of the call are answered by the operation's stages."""
        return self.read is None and (self.reply.error is None or self.becomes is not None)


@dataclass(frozen=True)
class StageEvent:
    """The webhook of a stage; without ``data`` it has the body of a read."""

    type: str
    version: str
    data: Template = None


@dataclass(frozen=True)
class PageButton:
    """A button of a person's page: its text, and the stage that follows."""

    label: str
    stage: str


@dataclass(frozen=True)
class PersonPage:
    """The page on which a person decides, and its buttons by name."""

    title: str
    text: str
    buttons: Mapping[str, PageButton]


@dataclass(frozen=True)
class Stage:
    """What a read returns at one time, and what ends that time.

    After ``after_s`` seconds the stage ``next`` follows (None: the one that the answer's
    ``becomes`` names). A stage with neither a time nor a page is final.
    """

    name: str
    reply: CannedReply
    event: StageEvent | None = None
    after_s: float | None = None
    next: str | None = None
    page: PersonPage | None = None


@dataclass(frozen=True)
class ReadParameter:
    """A parameter by which a read finds a call, and the answer if there is none."""

    name: str
    finds: str
    """``id`` or ``reference``."""
    unknown: VendorError


@dataclass(frozen=True)
class CallRead:
    """How an operation reads what others created; the first given parameter counts."""

    operations: tuple[str, ...]
    parameters: tuple[ReadParameter, ...]
    nothing_given: VendorError


@dataclass(frozen=True)
class FieldChoice:
    """Fields of which a request needs at least one."""

    fields: tuple[str, ...]
    error: VendorError


@dataclass(frozen=True)
class EntryAnswers:
    """The field with the entries of a batch, and the answers to an entry.

    ``waiting`` is what a read says of each entry until its answer is there.
    """

    field: str
    answers: tuple[InputAnswer, ...]
    waiting: Template = None


@dataclass(frozen=True)
class VendorOperation:
    """One operation. It has exactly one of ``answers``, ``read`` and ``python``."""

    name: str
    method: str
    path: str
    title: str
    per_minute: int
    fields: tuple[FieldRules, ...] = ()
    needs_one_of: FieldChoice | None = None
    entries: EntryAnswers | None = None
    own_id: OwnId | None = None
    charge: str | None = None
    error_reference: str | None = None
    answers: tuple[InputAnswer, ...] = ()
    stages: Mapping[str, Stage] = field(default_factory=dict)
    read: CallRead | None = None
    python: str | None = None
    errors: tuple[VendorError, ...] = ()
    sample: Mapping[str, Any] = field(default_factory=dict)
    means: str = ""

    @property
    def id_names(self) -> tuple[str, ...]:
        """Return the fields or parameters that may contain the client's id."""
        if self.own_id:
            return (self.own_id.field,)
        if self.read:
            return tuple(each.name for each in self.read.parameters if each.finds == "id")
        return ("verification_id", "verificationID")

    @property
    def first_stage(self) -> Stage | None:
        """Return the stage in which a call starts."""
        return next(iter(self.stages.values()), None)

    def documented_error(self, status: int, code: str | None) -> VendorError | None:
        """Return the first documented error with this status and code, if there is one.

        Without a code, errors of fields and those that every operation has don't count.
        """
        known = [*self._named()]
        if code is not None:
            known += [*self._of_fields(), *COMMON]
        return next((e for e in known if e.status == status and code in (None, e.code)), None)

    def _named(self) -> Iterator[VendorError]:
        """Yield the errors that the operation's file names, without those of fields."""
        yield from self.errors
        if self.own_id and self.own_id.repeated:
            yield self.own_id.repeated
        yield from (answer.reply.error for answer in self.answers if answer.reply.error)

    def _of_fields(self) -> Iterator[VendorError]:
        for each in self.fields:
            if each.missing:
                yield each.missing
            yield from (rule.error for rule in each.rules)


@dataclass(frozen=True)
class Operations:
    """All operations of one sandbox, by name."""

    by_name: Mapping[str, VendorOperation]

    def __iter__(self) -> Iterator[VendorOperation]:
        """Yield the operations in the order of their files."""
        return iter(self.by_name.values())

    def __getitem__(self, name: str) -> VendorOperation:
        """Return the operation called ``name``."""
        return self.by_name[name]

    def quotas(self) -> dict[str, int]:
        """Return the calls per window of each operation."""
        return {each.name: each.per_minute for each in self}

    @cached_property
    def readable(self) -> frozenset[str]:
        """Return the names of the operations whose calls can be read, or go through stages."""
        read = {name for each in self if each.read for name in each.read.operations}
        return frozenset(read | {each.name for each in self if each.stages})

    @cached_property
    def buttons(self) -> frozenset[str]:
        """Return the names of all buttons of all pages."""
        stages = [stage for each in self for stage in each.stages.values() if stage.page]
        return frozenset(name for stage in stages if stage.page for name in stage.page.buttons)
