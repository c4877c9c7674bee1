"""Errors that producers see: each class answers "what may I do next?".

    SatyapanError
    ├── InvalidRequest   the request is wrong: correct the named fields, submit again
    ├── Conflict         this id stands for another request: use another id, or the same data
    ├── Unavailable      it may not be stored: submit again, unchanged, with the same id or key
    ├── NotFound         no such verification here (never submitted, or its retention has ended)
    ├── StillOpen        the wait ended first: wait again later; the verification goes on
    └── Unreadable       sealed under a key that isn't in the ring: add the old key to the ring

Texts and attributes carry ids, field names and codes; never a value that a producer sent.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from satyapan.records import Verification


MOST_FAULTS: Final = 20
"""Faults that an error lists one by one."""
_LONGEST: Final = 500
_NEAR: Final = 50
"""Most characters of an unknown word that are compared with the known ones."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request: the field, and the vendor's code and wording."""

    field: str
    code: str
    message: str


class SatyapanError(Exception):
    """The base of everything that this package raises on purpose."""


class InvalidRequest(SatyapanError):
    """The request breaks the vendor's rules, in all of `faults`. Nothing was stored.

    `faults` holds the first MOST_FAULTS of them, `more` is the number of the others.
    """

    def __init__(self, faults: "Sequence[Fault]") -> None:
        self.faults = tuple(_bounded(fault) for fault in faults[:MOST_FAULTS])
        self.more = len(faults) - len(self.faults)
        texts = [f"{fault.field}: {fault.message} [{fault.code}]" for fault in self.faults]
        listed = "; ".join([*texts, f"and {self.more} more"] if self.more else texts)
        super().__init__(f"correct these fields and submit again: {listed}")


class Conflict(SatyapanError):
    """The id already stands for another request. Nothing was stored, no call was made."""

    def __init__(self, verification_id: str) -> None:
        self.verification_id = verification_id
        super().__init__(
            f"verification {verification_id} stands for another request: "
            "use a new verification_id or key for this one"
        )


class Unavailable(SatyapanError):
    """The ledger could not be reached or refused the write; submitting again is safe."""

    def __init__(self, what: str, verification_id: str = "") -> None:
        self.what = what
        self.verification_id = verification_id
        again = f" for {verification_id}" if verification_id else ""
        super().__init__(f"{what}{again}: try again with the same id; a repeat never runs twice")


class NotFound(SatyapanError):
    """No verification of that id is stored.

    `verification_id` is empty where no verification can have the id: that isn't repeated.
    """

    def __init__(self, verification_id: str) -> None:
        self.verification_id = verification_id
        super().__init__(
            f"no verification {verification_id or 'can have this id'}: it was never submitted "
            "here, or it was kept as long as the retention setting says"
        )


class StillOpen(SatyapanError, TimeoutError):
    """The time to wait is over, the verification is not; `verification` is what is known so far."""

    def __init__(self, verification: "Verification") -> None:
        self.verification = verification
        super().__init__(
            f"verification {verification.id} is still {verification.state}: wait again or watch"
        )


class Unreadable(SatyapanError):
    """A sealed body can't be opened: unknown key id, or it belongs to another record."""

    def __init__(self, record: str, key_id: str) -> None:
        self.record = record
        self.key_id = key_id
        super().__init__(f"{record} is sealed under key {key_id!r}, which does not open it")


def causes(error: BaseException | None) -> "Iterator[BaseException]":
    """Yield an exception and those that led to it, the latest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def did_you_mean(word: str, known: "Iterable[str]") -> str:
    """Return a suggestion for the end of an error; "" if no known word is near."""
    near = get_close_matches(word[:_NEAR], list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def shown(text: str, longest: int = _LONGEST) -> str:
    """Write a text from outside so that it can be printed everywhere: on one line, and not long."""
    cut = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(sign if sign.isprintable() else "?" for sign in cut)


def _bounded(fault: Fault) -> Fault:
    """Bound a fault whose field's name, and with it code and message, come from outside."""
    name, code = shown(fault.field, 100), shown(fault.code, 150)
    return Fault(name, code, shown(fault.message))
