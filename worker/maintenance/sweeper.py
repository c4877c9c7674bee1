"""The sweeper wakes what is due. Every worker process has one; two at once are harmless.

It covers everything for which messages are not reliable enough: lost wake-ups, dead workers,
back-off, quota slots, status polls, deadlines, and webhooks whose wake-up got lost.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from satyapan.errors import Unavailable
from satyapan.failpoints import Failpoint, failpoint
from satyapan.names import INGEST, RUN, RUN_SLOT, Keys
from satyapan.records import TERMINAL
from satyapan.redis.scripts import load
from satyapan.redis.server_time import now_ms
from shared.inbox.stored_webhook import WebhookState
from worker.admission.triage import Triage
from worker.broker.wakeups import Wake

PATIENCE_MS: Final = 10_000
"""How long (ms) a wake-up may be under way before the sweeper sends another."""
ENOUGH: Final = 100
"""The sweeper adds no message to a queue that has this many."""
_LATER_MS: Final = 1_000
_TRIM_EVERY: Final = 300
_LEAST_S: Final = 0.05
"""The shortest pause between two sweeps, so that rows due shortly after each other share one."""

_MOST_BATCHES: Final = 10
"""Batches of one index per sweep, so that slots are dealt often."""

log = logging.getLogger("satyapan.sweeper")
Queued = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Taken:
    """The ids that were due, and how many ms from now the next one is (0: nothing waits)."""

    ids: tuple[str, ...]
    next_in: int


class Sweep:
    """One sweep: deal the quota's slots, wake the rows that got one, then all others that are due.

    Rows that were never sent and would only wait for a slot are registered, not woken.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        triage: Triage,
        wake: Wake,
        *,
        batch: int,
        chunk: int,
        keep_ms: int,
        queued: Queued = lambda _task: 0,
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._triage = triage
        self._wake = wake
        self._queued = queued
        self._batch = batch
        self._chunk = chunk
        self._keep_ms = keep_ms
        self._take = load(redis, "worker", "take_due")
        self._take_slots = load(redis, "worker", "take_slots")
        self._busy: set[str] = set()

    def once(self) -> float:
        """Wake all that is due now; return the seconds until something else is.

        Raises:
            redis.RedisError: nothing was lost; sweep again later.
        """
        self._triage.deal()
        waits = [self._wake_all(RUN_SLOT, self._slots), self._sort_all()]
        waits.append(self._wake_all(INGEST, self._webhooks))
        return min(waits) / 1000

    def _wake_all(self, task: str, take: Callable[[], Taken]) -> int:
        """Wake what is due while the queue has room; return when (ms) to sweep again."""
        for _ in range(_MOST_BATCHES):
            if self._crowded(task):
                return _LATER_MS
            taken = take()
            self._note(task, bool(taken.ids))
            if not self._send(task, taken.ids):
                return _LATER_MS
            if len(taken.ids) < self._batch:
                return taken.next_in
        return 0

    def _sort_all(self) -> int:
        """Register or wake what is due; return when (ms) to sweep again.

        While the queue is long, rows that were claimed before come back later, spread over some
        seconds, so that thousands of them cost little and don't delay rows that become due later.
        """
        for _ in range(_MOST_BATCHES):
            crowded = self._crowded(RUN)
            rest, spread = (_LATER_MS, PATIENCE_MS - _LATER_MS) if crowded else (0, 0)
            found = self._triage.take(self._batch, rest or PATIENCE_MS, spread)
            self._note(RUN, bool(found.claim or found.fresh))
            task = self._queue_for(found.fresh, crowded=crowded)
            fresh, claim = found.fresh if task else (), () if crowded else found.claim
            if not (self._send(task, fresh) and self._send(RUN, claim)):
                return _LATER_MS
            if found.taken < self._batch:
                return max(rest, found.next_in or PATIENCE_MS)
        return rest

    def _queue_for(self, fresh: tuple[str, ...], *, crowded: bool) -> str:
        """Choose the task that wakes rows never sent; empty: none, they are due again soon.

        The queue of slots, if it is empty: rows never sent then don't wait behind a long queue, and
        delay the rows whose slot has come by one batch at most.
        """
        if fresh and self._queued(RUN_SLOT):
            return "" if crowded else RUN
        return RUN_SLOT

    def _crowded(self, task: str) -> bool:
        """Return True if the queue is long; the broker isn't asked while nothing is due."""
        return task in self._busy and self._queued(task) >= ENOUGH

    def _note(self, task: str, taken: bool) -> None:  # noqa: FBT001  a private step
        (self._busy.add if taken else self._busy.discard)(task)

    def _send(self, task: str, ids: Sequence[str]) -> bool:
        """Send the wake-ups; return False at the first that fails: each may take a timeout."""
        if ids:
            failpoint(Failpoint.SWEPT)
        # A message per webhook: in a shared one a slow webhook would delay the rest.
        size = 1 if task == INGEST else self._chunk
        return all(self._wake(task, ids[at : at + size]) for at in range(0, len(ids), size))

    def _slots(self) -> Taken:
        keys = [self._keys.slot_due, self._keys.due]
        return self._taken(self._take_slots(keys=keys, args=[self._batch, PATIENCE_MS]))

    def _webhooks(self) -> Taken:
        keys = [self._keys.inbox_due]
        return self._taken(self._take(keys=keys, args=[self._batch, PATIENCE_MS]))

    def _taken(self, reply: Sequence[bytes]) -> Taken:
        now, following, *ids = reply
        waits = max(0, int(following) - int(now)) if int(following) else PATIENCE_MS
        return Taken(tuple(raw.decode() for raw in ids), waits)

    def trim(self) -> None:
        """Remove the ids of rows and webhooks that are not kept any more from the state indexes."""
        now = now_ms(self._redis)
        for state in TERMINAL:
            self._redis.zremrangebyscore(self._keys.index(state), "-inf", now - self._keep_ms)
        for kept in WebhookState:
            self._redis.zremrangebyscore(self._keys.inbox_index(kept), "-inf", now)


class Sweeper:
    """Sweeps in a thread of its own until it is stopped.

    `beat` is called after each sweep that went well; it may raise what a sweep may raise.
    """

    def __init__(
        self, sweep: Callable[[], Sweep], interval_s: float, beat: Callable[[], None]
    ) -> None:
        self._sweep = sweep
        self._interval_s = interval_s
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the sweep that is under way; before `start`, nothing is ever swept."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        rounds = 0
        while not self._stopped.is_set():
            wait = self._once(trim=rounds % _TRIM_EVERY == 0)
            rounds += 1
            self._stopped.wait(min(self._interval_s, max(wait, _LEAST_S)))

    def _once(self, *, trim: bool) -> float:
        try:
            if trim:
                self._sweep().trim()
            wait = self._sweep().once()
            self._beat()
        except Exception as error:  # whatever it is: without sweeps nothing would wake what waits
            known = isinstance(error, RedisError | Unavailable)
            extra = {"code": type(error).__name__}
            log.warning("sweep failed; trying again", exc_info=not known, extra=extra)
            return self._interval_s
        return wait
