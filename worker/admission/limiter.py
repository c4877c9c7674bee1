"""The limiter: the vendor's quota over all workers, and its "not before".

It decides on Redis' own clock, in one script per decision (worker/lua/admit.lua has the arithmetic
and its proof). A row that has to wait is queued by account and route, and is made due when a slot
is dealt to it. If Redis is away its error goes through: the caller waits, nothing is sent.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis

from satyapan.names import Keys
from satyapan.records import Row
from satyapan.redis.script_calls import ScriptCall
from satyapan.redis.scripts import load
from worker.admission.redis_clock import Jump
from worker.rules.lane import Lane

log = logging.getLogger("satyapan.limiter")

LEARNED_MS = 600_000
"""How long a lower limit that the vendor sent holds after it was sent last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterConfig:
    """The limiter's configuration; times in ms."""

    window: int = 60_000
    """The vendor's window."""
    margin: int = 1_000
    """Added to the window: a quarter for late holders, the rest for the way to the vendor."""
    horizon: int = 2_000
    """How far ahead slots are dealt; longer than it takes to wake a row."""
    longest_call: int = 60_000
    """A probe that hasn't reported by then has vanished."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Call now. `probe`: this call alone tries an open breaker; record its outcome."""

    limit: int
    """The limit that held: ours, or a lower one that the vendor sent."""
    probe: bool = False
    failing: bool = False
    """The route's last call failed: record it if this one is answered."""
    open: int = 0
    """How many journeys are open on this one's status route."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that was never sent and needs a slot."""

    id: str
    producer: str
    high: bool = False


@dataclass(frozen=True, slots=True)
class NotYet:
    """Ask again at this time (ms, Redis' clock): the row's slot, or the latest time to ask."""

    until_ms: int
    reason: str
    """quota, account/<code>, vendor/<code>, redis_changed or clock_jumped."""


Verdict = Admitted | NotYet


class Limiter:
    """Shared by all workers through Redis; holds no state of its own.

    Args:
        redis: the ledger's server.
        keys: names under the installation's prefix.
        config: the same in every worker.
        now_ms: for tests of the arithmetic only; Redis' clock can't be set.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        config: LimiterConfig,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._config = config
        self._now = now_ms
        self._admit, self._hold, self._hold_all = (
            load(redis, "worker", name) for name in ("admit", "hold", "hold_all")
        )
        self._admit_and_commit = load(redis, "worker", "admit_and_commit", "admit", "commit")

    def admit(
        self, row: Row, route: str, limit: int, lane: Lane = Lane.NORMAL
    ) -> ScriptCall[Verdict]:
        """Make the step that admits a call for a claimed row, or queues the row.

        Raises:
            ValueError: a limit below 1.
        """
        if limit < 1:
            raise ValueError(f"the limit of route {route} is {limit}: it must be 1 or more")
        keys, arguments = self._case(row.account, route, limit, row.id, row.reply_to, int(lane))
        return ScriptCall(self._admit, keys, arguments, _verdict)

    def admit_and_commit(
        self, row: Row, route: str, limit: int, lane: Lane, commit: ScriptCall[Row]
    ) -> ScriptCall[NotYet | tuple[Admitted, Row]]:
        """Make the step that admits a call and commits its row: a slot and SENT, or neither.

        Reading its reply raises what reading the commit's does: StaleFence.
        """
        admit = self.admit(row, route, limit, lane)

        def admitted(reply: list[Any]) -> NotYet | tuple[Admitted, Row]:
            verdict = _verdict(reply)
            if isinstance(verdict, NotYet):
                return verdict
            return replace(verdict, open=int(reply[6])), commit.read(reply[4:])

        return ScriptCall(
            self._admit_and_commit, admit.keys + commit.keys, admit.args + commit.args, admitted
        )

    def deal(self) -> None:
        """Deal the next slots to waiting rows, on all routes; safe to run concurrently.

        Raises:
            RedisError: the next sweep deals.
        """
        for name, limit in self._redis.hgetall(self._keys.queues).items():
            account, _, route = name.decode().rpartition(":")
            keys, arguments = self._case(account, route, int(limit), "", "", 0)
            self._admit(keys=keys, args=arguments)

    def register(
        self, account: str, route: str, limit: int, waiting: Sequence[Waiting]
    ) -> list[str]:
        """Put rows in their lanes without a claim, and deal slots; return the ids left out.

        Left out are rows that hold a slot, and rows that were sent or are claimed meanwhile: those
        need a claim.

        Raises:
            RedisError: some may be registered; the same again changes nothing.
        """
        keys, arguments = self._case(account, route, limit, "", "", 0)
        for row in waiting:
            arguments += [row.id, row.producer, int(Lane.HIGH if row.high else Lane.NORMAL)]
        _, _, _, *left = self._admit(keys=keys, args=arguments)
        return [raw.decode() for raw in left]

    def _case(
        self, account: str, route: str, limit: int, row_id: str, producer: str, lane: int
    ) -> tuple[list[str], list[Any]]:
        names, config = self._keys, self._config
        keys = [names.slots(account, route), names.reservations(account, route)]
        keys += [names.queue(account, route, each) for each in ("normal", "high")]
        keys += [names.turns(account, route), names.hold(account, route)]
        keys += [names.learned(account, route), names.stop(account)]
        keys += [names.breaker(account, route), names.due, names.queues]
        keys += [names.queue(account, route, "low"), names.low(account, route), names.slot_due]
        keys += [names.server, names.streak(account, route), names.hold_account(account)]
        times = [config.window, config.margin, config.horizon, config.longest_call]
        caller = [f"{account}:{route}", names.row(""), self._time(), row_id, producer, lane]
        return keys, [limit, *times, *caller]

    def hold(self, account: str, route: str, seconds: float) -> int:
        """Hold all calls of a route for some seconds; return until when (ms). Never shorten.

        An empty `route` holds all routes of the account.
        """
        key = self._keys.hold(account, route) if route else self._keys.hold_account(account)
        wait_ms = max(0, round(seconds * 1000))
        return int(self._hold(keys=[key], args=[wait_ms, self._time()]))

    def hold_all(self, jump: Jump, confirm: Callable[[], None]) -> ScriptCall[int]:
        """Make the step that holds all calls for a window, because Redis' clock jumped forward.

        Its reply is the time (ms) until which calls are held; `confirm` is called when it arrives.
        One jump counts once, however many workers notice it.
        """
        log.error("Redis' clock jumped: calls are held", extra={"by_ms": jump.ms})
        span = self._config.window + self._config.margin + 1
        arguments = [jump.ms, jump.within_ms, span, self._time()]

        def held(until: int) -> int:
            confirm()
            return until

        return ScriptCall(self._hold_all, [self._keys.server], arguments, held)

    def learn(self, account: str, route: str, limit: int) -> None:
        """Follow a lower limit that the vendor sent, for a while; never a higher one."""
        self._redis.set(self._keys.learned(account, route), max(1, limit), px=LEARNED_MS)

    def _time(self) -> int | str:
        return self._now() if self._now else ""


def _verdict(reply: list[Any]) -> Verdict:
    waits, *rest = reply
    if waits == 1:
        return NotYet(int(rest[0]), rest[1].decode())
    return Admitted(int(rest[0]), probe=bool(rest[1]), failing=bool(rest[2]))
