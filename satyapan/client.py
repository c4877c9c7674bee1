"""The client that applications use: submit, wait, get, watch."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, Self, TypeVar, get_args

from satyapan.boundary import (
    item_of,
    items_of,
    limit_of,
    name_of,
    plain,
    refused,
    seconds_of,
    state_of,
    text_of,
)
from satyapan.broker.publisher import Publisher, Wake
from satyapan.broker.wakeups import OwnWaker, Waker, wake_app
from satyapan.canonical import request_digest
from satyapan.errors import (
    Conflict,
    Fault,
    InvalidRequest,
    NotFound,
    SatyapanError,
    StillOpen,
    Unavailable,
)
from satyapan.events import Event
from satyapan.failpoints import Failpoint, failpoint
from satyapan.ids import derive_id, id_faults, key_faults, possible_id, producer_key
from satyapan.kinds import Kind, Registry
from satyapan.ledger.ledger import GRACE_MS, Inserted, Ledger, RowStore
from satyapan.ledger.results import Results, ResultSource, reader_name
from satyapan.names import RUN, RUN_HIGH, Keys
from satyapan.records import VENDOR, Row, State, Verification, view
from satyapan.redis.connections import connect
from satyapan.return_urls import split_allowed
from satyapan.settings.declaration import SettingFault, SettingsError
from satyapan.settings.producer import ProducerSettings, read_producer_settings

Until = Callable[[Verification], bool]
Priority = Literal["normal", "high"]
_PRIORITIES: Final = get_args(Priority)
_Made = TypeVar("_Made")
_log: Final = logging.getLogger(__name__)
_ITEM: Final = frozenset({"request", "verification_id", "key", "priority", "operation"})
_BATCH: Final = 200
"""Rows that go to the ledger in one round trip."""
_PACE_MS: Final = 3
"""How much longer the sweeper leaves each further row of a bulk to its wake-up."""


def settled(verification: Verification) -> bool:
    """Return True if a verification is over: terminal, or parked for a person."""
    return verification.settled


def linked(verification: Verification) -> bool:
    """Return True if a journey's link is there, or will never be."""
    return bool(verification.link) or verification.settled


class Verifications:
    """Submits verifications and returns their results. Safe to share between threads.

    `from_env()` reads the settings that docs/settings.md lists. One object serves a whole process.
    """

    def __init__(self, settings: ProducerSettings) -> None:
        self._settings = settings
        self._kinds = Registry.with_plugins(settings.kinds)
        if not settings.check_digits.keys() <= set(self._kinds.names):
            text = f"has an unknown name; known are {', '.join(sorted(self._kinds.names))}."
            raise SettingsError([SettingFault("SATYAPAN_CHECK_DIGITS", text)])
        keys = Keys(settings.prefix)
        redis = connect(settings, "producer")
        self._ledger: RowStore = Ledger(redis, keys, settings.ring())
        self._results: ResultSource = Results(redis, keys)
        app = wake_app(settings)
        patience_s = settings.redis_connect_timeout_s + settings.redis_read_timeout_s
        self._publisher = Publisher(
            partial(OwnWaker, app), Waker(app).wake, settings.chunk, patience_s
        )
        self._wake: Wake = self._publisher.publish
        self._own_key = producer_key(settings.id_key_bytes(), settings.reply_to)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Verifications":
        """Build from `SATYAPAN_*` variables.

        Raises:
            SettingsError: with every fault at once.
        """
        return cls(read_producer_settings(env))

    def close(self) -> None:
        """Send the wake-ups that wait, within the broker's timeouts, and close idle connections.

        The end of the process does the same. What is used afterwards connects again.
        """
        self._publisher.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        kind: str,
        request: Mapping[str, Any],
        *,
        verification_id: str | None = None,
        key: str | None = None,
        priority: Priority = "normal",
        operation: str | None = None,
    ) -> Verification:
        """Accept a verification: once this returns, it will reach an end or be parked.

        Give either `verification_id` (at most 50 of A-Z a-z 0-9 . _ -, nothing private in it) or
        `key`, anything of yours that names this verification once; the id is derived from it.
        Submitting the same again is free and returns the same verification.

        Among those that wait for the vendor's quota, `priority="high"` goes first, but for one
        call in four; it counts at the first submit.

        `operation` chooses another of the kind's operations than the usual one (docs/kinds.md); it
        counts at the first submit too.

        Raises:
            InvalidRequest: the vendor's rules are broken; all faults at once, nothing stored.
            Conflict: this id stands for another request; nothing stored, no call made.
            Unavailable: not confirmed; submit the same again, it never runs twice.
        """
        named = {"verification_id": verification_id, "key": key}
        chosen = {"priority": priority, "operation": operation}
        row = self._checked_row(kind, {"request": request, **named, **chosen})
        found = self._ledger.insert(row, self._settings.deadline_s * 1000)
        if found.created:
            failpoint(Failpoint.INSERTED)
            self._wake(_task(row), [row.id])
        return self._accepted(row, found)

    def submit_many(
        self, kind: str, items: Iterable[Mapping[str, Any]]
    ) -> list[Verification | SatyapanError]:
        """Accept many verifications of a kind; far cheaper than one `submit` for each.

        An item holds `request`, `verification_id` or `key`, and maybe `priority` and `operation`,
        as for `submit`. The list has in each item's place its verification, or the error that
        `submit` would have raised; one item's error touches no other. Submitting all of them again
        is free.

        Raises:
            InvalidRequest: `items` is no iterable of items. Whatever an iterator itself raises
                comes through; nothing is stored then.
        """
        asked = [_or_error(partial(self._read_item, kind, item)) for item in items_of(items)]
        found = self._insert_many([row for row in asked if isinstance(row, Row)])
        return [
            _or_error(partial(self._accepted, row, next(found))) if isinstance(row, Row) else row
            for row in asked
        ]

    def _insert_many(self, rows: Sequence[Row]) -> Iterator[Inserted | Unavailable]:
        """Insert and wake in batches; when the ledger is away the rest isn't tried."""
        life, away, waking = self._settings.deadline_s * 1000, False, True
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            if away:
                yield from (Unavailable("the ledger is away", row.id) for row in batch)
                continue
            found = self._ledger.insert_all(batch, life, GRACE_MS + start * _PACE_MS)
            away = all(isinstance(each, Unavailable) for each in found)
            pairs = zip(batch, found, strict=True)
            new = [row for row, each in pairs if isinstance(each, Inserted) and each.created]
            failpoint(Failpoint.INSERTED)
            for task in (RUN_HIGH, RUN):
                ids = [row.id for row in new if _task(row) == task]
                # Where wake-ups are published inline, wait for an absent broker only once.
                waking = waking and (not ids or self._wake(task, ids))
            yield from found

    def _read_item(self, kind: str, item: object) -> Row:
        return self._checked_row(kind, item_of(item, _ITEM))

    def _checked_row(self, kind: str, item: Mapping[str, Any]) -> Row:
        """Make the row of an item, or raise InvalidRequest with all its faults."""
        asked = self._kinds.ask(text_of(kind))
        row_id, faults = self._identify(asked.name, item.get("verification_id"), item.get("key"))
        lane = text_of(item.get("priority", "normal"))
        if lane not in _PRIORITIES:
            faults.append(Fault("priority", "priority_value_invalid", "choose normal or high."))
        operation = _operation_key(asked, item.get("operation"))
        if operation is None:
            faults.append(_unknown_operation(asked))
        given = plain(item.get("request", {}))
        checked = asked.check(given, faults + self._return_url_faults(asked, given))
        self._look_at_check_digits(asked, checked, row_id)
        return Row(
            id=row_id,
            kind=asked.name,
            vendor=operation or VENDOR,
            reply_to=self._settings.reply_to,
            priority="high" if lane == "high" else "",
            digest=request_digest(self._own_key, asked.name, checked),
            request=checked,
        )

    def _accepted(self, row: Row, found: Inserted | Unavailable) -> Verification:
        """Show what an insert found: the new row, or the one that was there."""
        if isinstance(found, Unavailable):
            raise found
        if found.digest != row.digest:
            raise Conflict(row.id)
        if found.created:
            return view(replace(row, created=found.at, updated=found.at))
        return self.get(row.id) or view(row)

    def _identify(
        self, kind: str, verification_id: str | None, key: str | None
    ) -> tuple[str, list[Fault]]:
        if (verification_id is None) == (key is None):
            message = "give either verification_id or key, not both and not neither."
            return "", [Fault("verification_id", "verification_id_missing", message)]
        if key is not None:
            text = text_of(key)
            faults = key_faults(text)
            return derive_id(self._own_key, kind, text) if text and not faults else "", faults
        given = text_of(verification_id)
        return possible_id(given), id_faults(given)

    def _return_url_faults(self, kind: Kind, request: object) -> list[Fault]:
        """Refuse an address whose host isn't allowed; the kind checks whether it is an address."""
        name = kind.return_url_field
        url = request.get(name) if name and isinstance(request, dict) else None
        if not isinstance(url, str) or not url.startswith("https://"):
            return []
        if split_allowed(url, self._settings.return_hosts):
            return []
        message = f"{name} should lead to a host that SATYAPAN_RETURN_HOSTS allows."
        return [Fault(name, f"{name}_value_invalid", message)]

    def _look_at_check_digits(self, kind: Kind, checked: Mapping[str, Any], row_id: str) -> None:
        """Log or refuse numbers with a wrong check digit, as the settings say for their kind."""
        policy = self._settings.check_digits.get(kind.name, "warn")
        wrong = kind.wrong_check_digits(checked) if policy != "ignore" else []
        if wrong and policy == "refuse":
            raise InvalidRequest(wrong)
        for fault in wrong:
            _log.warning("%s %s: %s", kind.name, row_id, fault.message)

    def get(self, verification_id: str) -> Verification | None:
        """Read a verification; None when there is none of that id.

        Raises:
            Unavailable: Redis can't be reached.
            Unreadable: it is sealed under a key that is not in your ring.
        """
        known = possible_id(text_of(verification_id))
        row = self._ledger.read(known) if known else None
        return view(row) if row else None

    def wait(
        self, verification_id: str, timeout: float = 30.0, *, until: Until = settled
    ) -> Verification:
        """Wait (seconds) until a verification is settled, or until `until` says so.

        For a journey's link: `wait(id, until=linked)`.

        Raises:
            StillOpen: the time is over; its `verification` is what is known so far.
            NotFound: there is no such verification.
            InvalidRequest: `timeout` is no number, or `until` can't be called.
            Unavailable: Redis can't be reached.
        """
        end = time.monotonic() + seconds_of("timeout", timeout)
        if not callable(until):
            raise refused("until", "until should be a function of a verification.")
        known = possible_id(text_of(verification_id))
        if not known:
            raise NotFound(known)
        return self._wait(known, self._settings.reply_to, end, until)

    def _wait(self, verification_id: str, reply_to: str, end: float, until: Until) -> Verification:
        """Listen first, then look: what changes in between is heard."""
        row: Row | None = None
        for _ in self._results.changes(reply_to, verification_id, lambda: end - time.monotonic()):
            row = self._ledger.read(verification_id) or row
            if row is None:
                raise NotFound(verification_id)
            if row.reply_to != reply_to:  # another producer's, with a channel of its own
                return self._wait(verification_id, row.reply_to, end, until)
            if until(seen := view(row)):
                return seen
        raise NotFound(verification_id) if row is None else StillOpen(view(row))

    def watch(
        self, group: str, *, reader: str | None = None, block: float = 2.0
    ) -> Iterator[Event]:
        """Walk through the events of this producer's verifications without end, each at least once.

        Readers of one `group` share the events; each group gets all of them. An event is
        confirmed when the next is asked for, so break off only after your work on it is done.

        Raises:
            InvalidRequest: `group` or `reader` is no name, or `block` no number.
            Unavailable: Redis can't be reached; start again, nothing is skipped.
        """
        while True:
            yield from self.events(group, reader=reader, block=block)

    def events(
        self, group: str, *, reader: str | None = None, block: float = 0.1
    ) -> Iterator[Event]:
        """Walk through the events that are there, and stop when none comes for `block` seconds."""
        name = name_of("reader", reader_name() if reader is None else reader)
        wait = seconds_of("block", block)
        return self._results.read_group(
            self._settings.reply_to, name_of("group", group), name, wait
        )

    def newest(self, state: State, limit: int = 50) -> list[Verification]:
        """List the latest verifications in a state, without their private parts.

        Raises:
            InvalidRequest: there is no such state, or `limit` is no number of rows.
            Unavailable: Redis can't be reached.
        """
        return [view(row) for row in self._ledger.newest(state_of(state), limit_of(limit))]

    def counts(self) -> dict[State, int]:
        """Count the verifications in each state."""
        return self._ledger.counts()


def _task(row: Row) -> str:
    """Name the task that runs a new row."""
    return RUN_HIGH if row.priority == "high" else RUN


def _operation_key(kind: Kind, name: object) -> str | None:
    """Return the key of the operation that a producer chose; None if the kind has none such."""
    if name is None:
        return VENDOR
    chosen = text_of(name)
    return f"{VENDOR}/{chosen}" if chosen in kind.other_operations(VENDOR) else None


def _unknown_operation(kind: Kind) -> Fault:
    others = ", ".join(kind.other_operations(VENDOR))
    choose = f"choose {others}, or leave it out for the usual operation."
    message = choose if others else f"leave it out: {kind.name} has only its usual operation."
    return Fault("operation", "operation_value_invalid", message)


def _or_error(step: Callable[[], _Made]) -> "_Made | SatyapanError":
    try:
        return step()
    except SatyapanError as error:
        return error
