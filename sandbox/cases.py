"""Executed calls that can be read later or go through stages: the engine's cases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sandbox.definitions.model import InputAnswer, Stage, VendorOperation

INDIA = timezone(timedelta(hours=5, minutes=30))


@dataclass
class Case:
    """One executed call. Times are Unix seconds; ``values`` are those that its bodies may use."""

    operation: VendorOperation
    account: str
    own_id: str | None
    reference_id: int
    code: str
    answer: InputAnswer
    values: dict[str, Any]
    stage: Stage | None
    since: float

    def due(self) -> float | None:
        """Return the time at which the next stage begins by itself."""
        if self.stage is None or self.stage.after_s is None:
            return None
        return self.since + self.stage.after_s

    def following(self) -> Stage:
        """Return the stage that begins when the time of this one is over."""
        name = (self.stage.next if self.stage else None) or self.answer.becomes
        return self.operation.stages[str(name)]

    def enter(self, stage: Stage, at: float) -> None:
        """Begin a stage."""
        self.stage, self.since = stage, at
        self.values["changed_at"] = in_india(at)


class Cases:
    """All cases, by id, reference and page; the caller holds the state's lock."""

    def __init__(self) -> None:
        """Start without cases."""
        self._by_id: dict[tuple[str, str, str], Case] = {}
        self._by_reference: dict[tuple[str, str, str], Case] = {}
        self._by_code: dict[str, Case] = {}
        self._waiting: dict[str, Case] = {}

    def add(self, case: Case) -> None:
        """Store a case under its code and both its ids."""
        name, account = case.operation.name, case.account
        if case.own_id is not None:
            self._by_id[(name, account, case.own_id)] = case
        self._by_reference[(name, account, str(case.reference_id))] = case
        self._by_code[case.code] = case
        if case.stage is not None:
            self._waiting[case.code] = case

    def find(self, operation: str, account: str, finds: str, value: str) -> Case | None:
        """Return an account's case by its id or its reference."""
        index = self._by_id if finds == "id" else self._by_reference
        return index.get((operation, account, value))

    def by_code(self, code: str) -> Case | None:
        """Return the case of a person's page."""
        return self._by_code.get(code)

    def of_any_client(self, own_id: str) -> Case | None:
        """Return the newest case with this id, of any client and operation."""
        found = [case for (_, _, each), case in self._by_id.items() if each == own_id]
        return found[-1] if found else None

    def with_page(self) -> list[Case]:
        """Return the cases that wait for a person, the newest first."""
        waiting = reversed(self._waiting.values())
        return [case for case in waiting if case.stage and case.stage.page]

    def due(self, now: float) -> Iterator[Case]:
        """Yield the cases whose stage is over; forget those that wait for nothing more."""
        for code, case in list(self._waiting.items()):
            due = case.due()
            if due is not None and due <= now:
                yield case
            if case.due() is None and not (case.stage and case.stage.page):
                del self._waiting[code]


def case_values(
    fields: Mapping[str, Any], reference_id: int, code: str, base: str, now: float
) -> dict[str, Any]:
    """Return the values that a call's bodies may use: its fields, and what the vendor adds."""
    return {
        **fields,
        "reference_id": reference_id,
        "reference_text": str(reference_id),
        "code": code,
        "base": base,
        "page": f"{base}/pages/{code}",
        "created_at": in_india(now),
        "changed_at": in_india(now),
    }


def in_india(seconds: float) -> str:
    """Return Unix seconds as the vendor's reads write them: ISO 8601 in Indian time."""
    return datetime.fromtimestamp(seconds, INDIA).isoformat(timespec="seconds")


def with_milliseconds(seconds: float) -> str:
    """Return Unix seconds as the vendor writes the end of a link: UTC, milliseconds, Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
