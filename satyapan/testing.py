"""A fake for producers' own tests: the real client over memory, with you as the vendor.

    fake = FakeVerifications()
    fake.answer("passport", status="VALID", result={"name": "JOHN DOE"})

    passport = fake.submit("passport", {"file_number": "PA1079341954215", "dob": "2007-03-01"},
                           key="customer-17")

    assert fake.wait(passport.id).status == "VALID"

Requests are checked, ids derived, conflicts found and events read by the code that production
runs; only Redis and the workers are missing. Nothing sleeps, and time moves by 1 ms at each write.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from satyapan.client import Verifications
from satyapan.errors import NotFound, Unavailable
from satyapan.events import Event, write_event
from satyapan.ids import child_id, possible_id
from satyapan.kinds.consent import shortfall
from satyapan.ledger.ledger import Inserted
from satyapan.ledger.rows import decode, encode
from satyapan.records import SETTLED, TERMINAL, Row, State, Verification, view
from satyapan.sealing import KeyRing
from satyapan.settings.declaration import Secret
from satyapan.settings.producer import ProducerSettings

_START_MS: Final = 1_767_225_600_000  # 2026-01-01
_KEY: Final = base64.b64encode(bytes(32)).decode()
_Reach = Callable[[str, str], None]
_Move = Callable[[Row], Row]
"""A row to what becomes of it."""


class FakeVerifications(Verifications):
    """`Verifications` without Redis and workers; use one for each test.

    Set `unavailable` to True, and every call raises Unavailable as if Redis were gone.
    """

    def __init__(
        self,
        *,
        reply_to: str = "default",
        kinds: Sequence[str] = (),
        return_hosts: Sequence[str] = (),
        check_digits: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        settings = ProducerSettings(
            check_digits=check_digits,
            seal_keys=Secret(f"fake:{_KEY}"),
            id_key=Secret(_KEY),
            reply_to=reply_to,
            kinds=tuple(kinds),
            return_hosts=tuple(return_hosts),
        )
        super().__init__(settings)
        self.unavailable = False
        self._standing: dict[str, tuple[str, _Move]] = {}
        self._rows = self._ledger = _MemoryLedger(settings.ring(), self._reach)
        self._streams = self._results = _MemoryResults(self._reach)
        self._wake = self._take_up

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "FakeVerifications":
        """Build a fake; of `env` it takes the producer's name only, of the environment nothing."""
        return cls(reply_to=(env or {}).get("SATYAPAN_REPLY_TO", "default"))

    def answer(
        self,
        id_or_kind: str,
        *,
        state: State = State.DONE,
        status: str = "",
        result: Mapping[str, Any] | None = None,
        reason: str = "",
        refused_field: str = "",
    ) -> None:
        """End one verification, or every open and later one of a kind.

        A result that has `documents` gets the reason that workers give: `nothing_shared` if it has
        none of them, `partial` if it lacks some that were requested.

        Raises:
            NotFound: there is no such verification, nor such a kind.
            ValueError: it has ended before, the state isn't an end, or the kind has no such status.
        """
        if state not in TERMINAL:
            raise ValueError(f"{state} isn't final: choose one of {', '.join(sorted(TERMINAL))}")

        def move(row: Row) -> Row:
            self._refuse_unknown(row, status)
            why = reason or self._shortfall(row, state, result or {})
            answered = replace(row, status=status, reason=why, refused_field=refused_field)
            return replace(answered, state=state, result=result, link="", handoff={})

        self._play(id_or_kind, state.lower(), move)

    def link(self, id_or_kind: str, url: str, handoff: Mapping[str, Any] | None = None) -> None:
        """Give a journey its link; the journey is then PENDING. Raises as `answer` does.

        `handoff` is what a person gets besides the link, for example a `qr_code`.
        """

        def move(row: Row) -> Row:
            return replace(
                row, state=State.PENDING, status="PENDING", link=url, handoff=handoff or {}
            )

        self._play(id_or_kind, "link_ready", move)

    def park(self, id_or_kind: str, reason: str = "lost_answer") -> None:
        """Set verifications aside for a person; `answer` may end them later."""
        self._play(
            id_or_kind, "parked", lambda row: replace(row, state=State.PARKED, reason=reason)
        )

    def visit(
        self,
        link_id: str,
        visitor: str,
        *,
        state: State = State.DONE,
        status: str = "SUCCESS",
        result: Mapping[str, Any] | None = None,
    ) -> Verification:
        """Let a person use a shared link: a verification of its own, whose parent is the link.

        `visitor` is the vendor's id for the person; with state PENDING they are not done yet.

        Raises:
            NotFound: there is no such link.
        """
        parent = self._row(link_id)
        child = child_id(self._own_key, link_id, visitor, parent.reply_to)
        row = Row(id=child, kind=parent.kind, parent=link_id, reply_to=parent.reply_to)
        self._rows.insert(replace(row, state=State.PENDING), life_ms=0)
        change = "progress" if state is State.PENDING else state.lower()
        self._apply(
            child, change, lambda row: replace(row, state=state, status=status, result=result)
        )
        return view(self._row(child))

    def _play(self, id_or_kind: str, change: str, move: _Move) -> None:
        row = self._rows.peek(possible_id(id_or_kind))
        if row is not None:
            self._apply(row.id, change, move)
            return
        if possible_id(id_or_kind) not in self._kinds.names:
            raise NotFound(possible_id(id_or_kind))
        self._standing[id_or_kind] = change, move
        for each in self._rows.all():
            if each.kind == id_or_kind and each.state not in SETTLED and not each.parent:
                self._apply(each.id, change, move)

    def _take_up(self, _task_name: str, ids: Sequence[str]) -> bool:
        """Do what a worker would: follow what the test decided for the kind."""
        for row_id in ids:
            if decided := self._standing.get(self._row(row_id).kind):
                self._apply(row_id, *decided)
        return True

    def _apply(self, row_id: str, change: str, move: _Move) -> None:
        row = self._row(row_id)
        if row.state in TERMINAL:
            raise ValueError(f"{row_id} is {row.state} already, and that is final")
        after = replace(move(row), seq=row.seq + 1, attempts=row.attempts or 1)
        now = self._rows.write(after)
        self._streams.add(row.reply_to, write_event(after, change, now))

    def _row(self, row_id: str) -> Row:
        row = self._rows.peek(possible_id(row_id))
        if row is None:
            raise NotFound(possible_id(row_id))
        return row

    def _shortfall(self, row: Row, state: State, result: Mapping[str, Any]) -> str:
        if state is not State.DONE or "documents" not in result:
            return ""
        operation = self._kinds[row.kind].operation(row.vendor)
        return shortfall(operation, row.request, result["documents"])

    def _refuse_unknown(self, row: Row, status: str) -> None:
        words = self._kinds[row.kind].operation(row.vendor).status_map
        if status and status not in words and not row.parent:
            known = ", ".join(sorted(words))
            raise ValueError(f"the vendor has no such status for {row.kind}: choose one of {known}")

    def _reach(self, what: str, verification_id: str) -> None:
        if self.unavailable:
            raise Unavailable(f"{what} (the fake is unavailable)", verification_id)


class _MemoryLedger:
    """Rows in memory, encoded and sealed as in Redis, so that each read returns a new copy."""

    def __init__(self, ring: KeyRing, reach: _Reach) -> None:
        self._ring = ring
        self._reach = reach
        self._stored: dict[str, dict[bytes, bytes]] = {}
        self._now = _START_MS

    def insert_all(
        self, rows: Sequence[Row], *_: object, **__: object
    ) -> list[Inserted | Unavailable]:
        return [self._inserted(row) for row in rows]

    def _inserted(self, row: Row) -> Inserted | Unavailable:
        try:
            return self.insert(row)
        except Unavailable as error:
            return error

    def insert(self, row: Row, *_: object, **__: object) -> Inserted:
        self._reach("the ledger did not confirm", row.id)
        found = self.peek(row.id)
        if found is None:
            self.write(replace(row, created=self._now + 1))
        there = found or row
        return Inserted(found is None, there.digest, there.state, self._now)

    def read(self, verification_id: str) -> Row | None:
        self._reach("the ledger can't be read", verification_id)
        return self.peek(verification_id)

    def newest(self, state: State, limit: int) -> Iterator[Row]:
        self._reach("the ledger can't be read", "")
        found = [row for row in self.all() if row.state is state]
        latest = sorted(found, key=lambda row: row.updated, reverse=True)[:limit]
        return (decode(self._stored[row.id], None) for row in latest)

    def counts(self) -> dict[State, int]:
        self._reach("the ledger can't be read", "")
        return {state: sum(row.state is state for row in self.all()) for state in State}

    def close(self) -> None:
        """Close nothing: there is no connection."""

    def all(self) -> list[Row]:
        return [decode(stored, self._ring) for stored in self._stored.values()]

    def peek(self, verification_id: str) -> Row | None:
        stored = self._stored.get(verification_id)
        return decode(stored, self._ring) if stored else None

    def write(self, row: Row) -> int:
        self._now += 1
        written = encode(replace(row, updated=self._now), self._ring)
        self._stored[row.id] = {name.encode(): raw for name, raw in written.items()}
        return self._now


class _MemoryResults:
    """Streams in memory. An event that a reader took and didn't confirm stays with that reader."""

    def __init__(self, reach: _Reach) -> None:
        self._reach = reach
        self._streams: dict[str, list[bytes]] = {}
        self._groups: dict[tuple[str, str], dict[int, str]] = {}

    def add(self, reply_to: str, event: bytes) -> None:
        self._streams.setdefault(reply_to, []).append(event)

    def changes(
        self, reply_to: str, verification_id: str, *_: object, **__: object
    ) -> Iterator[None]:
        """Yield once: nothing changes while the test's own thread waits."""
        self._reach(f"can't listen for {reply_to}", verification_id)
        yield

    def read_group(
        self, reply_to: str, group: str, reader: str, *_: object, **__: object
    ) -> Iterator[Event]:
        takers = self._groups.setdefault((reply_to, group), {})
        for place, event in self._open(reply_to, takers, reader):
            takers[place] = reader
            yield Event.parse(event)
            self._reach("can't read events", "")
            takers[place] = _CONFIRMED
        self._reach("can't read events", "")

    def _open(
        self, reply_to: str, takers: dict[int, str], reader: str
    ) -> Iterator[tuple[int, bytes]]:
        self._reach("can't read events", "")
        stream = self._streams.setdefault(reply_to, [])
        for place, event in enumerate(stream):  # a list may grow while it is walked
            if takers.get(place, reader) == reader:
                yield place, event


_CONFIRMED: Final = ""
