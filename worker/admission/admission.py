"""The gate before every vendor call: the quota over all workers, and two breakers.

Judged on Redis' own clock, in one script per decision (lua/gate*.lua hold the arithmetic and its
proof). Who has to wait stands in a queue of the account and route, and is made due when a slot is
dealt to it. If Redis is away its error goes through: the caller waits, nothing is sent unjudged.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis

from satyapan.asking import Ask
from satyapan.names import Keys
from satyapan.records import Row
from satyapan.scripts import load
from worker.admission.redis_clock import Jump
from worker.rules.lane import Lane

log = logging.getLogger("satyapan.gate")

LEARNED_MS = 600_000
"""How long a lower limit that the vendor told holds after it told it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The gate's measures; times in ms."""

    window: int = 60_000
    """The vendor's window."""
    margin: int = 1_000
    """Added to the window: a quarter for late holders, the rest for the way to the vendor."""
    horizon: int = 2_000
    """How far ahead slots are dealt; longer than it takes to wake a row."""
    longest_call: int = 60_000
    """A probe that hasn't reported by then has vanished."""
    probe: int = 30_000
    """How long a stopped account waits for its first probe; doubles up to ten times."""
    calls: int = 10
    """Calls below which the vendor's breaker doesn't judge by their share."""
    in_a_row: int = 3
    """Of fewer calls, so many verifications that fail one after the other open it."""
    percent: int = 50
    """The share of failed calls that opens it."""
    over: int = 30_000
    """The time over which it counts, within the window."""
    cool_down: int = 10_000
    """How long it waits for its first probe; doubles up to `cool_down_most`."""
    cool_down_most: int = 120_000


@dataclass(frozen=True, slots=True)
class Go:
    """Call now. `probe`: this call alone tries an open breaker; report what came of it."""

    limit: int
    """The limit that held: ours, or a lower one that the vendor told."""
    probe: bool = False
    failing: bool = False
    """The route's last call failed: report that it works if this one is answered."""
    open: int = 0
    """How many journeys are open on this one's status route."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that was never sent and needs a slot."""

    id: str
    producer: str
    high: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Come back at this time (ms, Redis' clock): your slot, or the latest time to ask again."""

    until_ms: int
    reason: str
    """quota, account/<code>, vendor/<code>, redis_changed or clock_jumped."""


Pass = Go | Wait


class Gate:
    """Shared by all workers through Redis; holds no state of its own.

    Args:
        redis: the ledger's server.
        keys: names under the installation's prefix.
        figures: the measures, the same in every worker.
        now_ms: for tests of the arithmetic only; Redis' clock can't be set.
    """

    def __init__(
        self, redis: Redis, keys: Keys, figures: Figures, now_ms: Callable[[], int] | None = None
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._figures = figures
        self._now = now_ms
        scripts = ("gate", "gate_hold", "gate_shut", "gate_unsure")
        self._judge, self._hold, self._shut, self._unsure = (
            load(redis, "worker", name) for name in scripts
        )
        self._pass = load(redis, "worker", "pass", "gate", "commit")

    def entering(self, row: Row, route: str, limit: int, lane: Lane = Lane.NORMAL) -> Ask[Pass]:
        """Make the step that asks to call for a claimed row; one that has to wait is queued.

        Raises:
            ValueError: a limit below 1.
        """
        if limit < 1:
            raise ValueError(f"the limit of route {route} is {limit}: it must be 1 or more")
        keys, arguments = self._case(row.account, route, limit, row.id, row.reply_to, int(lane))
        return Ask(self._judge, keys, arguments, _judged)

    def passing(
        self, row: Row, route: str, limit: int, lane: Lane, commit: Ask[Row]
    ) -> Ask[Wait | tuple[Go, Row]]:
        """Make the step that enters and, if the call may go, commits: a slot and SENT, or neither.

        Reading its reply raises what reading the commit's does: StaleFence.
        """
        enter = self.entering(row, route, limit, lane)

        def passed(told: list[Any]) -> Wait | tuple[Go, Row]:
            verdict = _judged(told)
            if isinstance(verdict, Wait):
                return verdict
            return replace(verdict, open=int(told[6])), commit.read(told[4:])

        return Ask(self._pass, enter.keys + commit.keys, enter.args + commit.args, passed)

    def deal(self) -> None:
        """Deal the slots of the near future to those who wait, everywhere; two at once are fine.

        Raises:
            RedisError: whoever sweeps next deals.
        """
        for name, limit in self._redis.hgetall(self._keys.queues).items():
            account, _, route = name.decode().rpartition(":")
            keys, arguments = self._case(account, route, int(limit), "", "", 0)
            self._judge(keys=keys, args=arguments)

    def register(
        self, account: str, route: str, limit: int, waiting: Sequence[Waiting]
    ) -> list[str]:
        """Put rows in their lanes without a claim, and deal; return the ids of those left out.

        Left out is what holds a slot already, and what isn't (or is no longer) a row that was
        never sent and is held by nobody: a claim has to judge it.

        Raises:
            RedisError: some may be registered; the same again changes nothing.
        """
        keys, arguments = self._case(account, route, limit, "", "", 0)
        for row in waiting:
            arguments += [row.id, row.producer, int(Lane.HIGH if row.high else Lane.NORMAL)]
        _, _, _, *left = self._judge(keys=keys, args=arguments)
        return [raw.decode() for raw in left]

    def _case(
        self, account: str, route: str, limit: int, row_id: str, producer: str, lane: int
    ) -> tuple[list[str], list[Any]]:
        names, figures = self._keys, self._figures
        keys = [names.slots(account, route), names.tickets(account, route)]
        keys += [names.queue(account, route, each) for each in ("normal", "high")]
        keys += [names.turns(account, route), names.hold(account, route)]
        keys += [names.learned(account, route), names.stop(account)]
        keys += [names.breaker(account, route), names.due, names.queues]
        keys += [names.queue(account, route, "low"), names.low(account, route), names.slot_due]
        keys += [names.server, names.streak(account, route), names.hold_account(account)]
        times = [figures.window, figures.margin, figures.horizon, figures.longest_call]
        who = [f"{account}:{route}", names.row(""), self._time(), row_id, producer, lane]
        return keys, [limit, *times, *who]

    def hold(self, account: str, route: str, seconds: float) -> int:
        """Hold all calls of a route for so long from now; return until when (ms). Never earlier."""
        return self._not_before(self._keys.hold(account, route), seconds)

    def hold_account(self, account: str, seconds: float) -> int:
        """Hold all calls of an account, on every route; return until when (ms). Never earlier."""
        return self._not_before(self._keys.hold_account(account), seconds)

    def _not_before(self, key: str, seconds: float) -> int:
        wait_ms = max(0, round(seconds * 1000))
        return int(self._hold(keys=[key], args=[wait_ms, self._time()]))

    def jumped(self, jump: Jump, confirm: Callable[[], None]) -> Ask[int]:
        """Make the step that holds all calls for a window, because Redis' clock jumped forward.

        Its reply is the time (ms) until which calls are held; `confirm` is called when it is here.
        One jump counts once, however many workers notice it.
        """
        log.error("Redis' clock jumped: calls are held", extra={"by_ms": jump.ms})
        span = self._figures.window + self._figures.margin + 1
        arguments = [jump.ms, jump.within_ms, span, self._time()]

        def held(until: int) -> int:
            confirm()
            return until

        return Ask(self._unsure, [self._keys.server], arguments, held)

    def learn(self, account: str, route: str, limit: int) -> None:
        """Go by a lower limit that the vendor told, for a while; a higher one is never followed."""
        self._redis.set(self._keys.learned(account, route), max(1, limit), px=LEARNED_MS)

    def stop(self, account: str, code: str, *, probe: bool = False) -> int:
        """Stop an account for all workers; return when (ms) the next probe may go."""
        first = self._figures.probe
        arguments = [code, first, first * 10, int(probe), self._time()]
        until, _ = self._shut(keys=[self._keys.stop(account)], args=arguments)
        return int(until)

    def fail(self, row: Row, route: str, code: str, *, probe: bool = False) -> bool:
        """Count a call that failed; True if that opened the vendor's breaker."""
        names, figures = self._keys, self._figures
        keys = [names.breaker(row.account, route), names.failures(row.account, route)]
        keys += [names.slots(row.account, route), names.streak(row.account, route)]
        times = [figures.cool_down, figures.cool_down_most, int(probe), self._time()]
        over = min(figures.over, figures.window)
        arguments = [code, *times, row.id, over, figures.calls, figures.percent]
        arguments.append(figures.in_a_row)
        _, opened = self._shut(keys=keys, args=arguments)
        return bool(opened)

    def refuse(self, account: str, route: str, code: str, *, probe: bool = False) -> bool:
        """Hold a route whose every call would be refused; True if its breaker opened just now."""
        first = self._figures.probe
        arguments = [code, first, first * 10, int(probe), self._time()]
        _, opened = self._shut(keys=[self._keys.breaker(account, route)], args=arguments)
        return bool(opened)

    def resume(self, account: str, route: str = "") -> None:
        """Close a breaker after a probe that got through: the account's, or with a route its."""
        names = self._keys
        if route:
            self._redis.delete(names.breaker(account, route), names.failures(account, route))
            self.answered(account, route)
        else:
            self._redis.delete(names.stop(account))

    def answered(self, account: str, route: str) -> None:
        """Note that a call was answered: failures in a row are counted from the start again."""
        self._redis.delete(self._keys.streak(account, route))

    def _time(self) -> int | str:
        return self._now() if self._now else ""


def _judged(told: list[Any]) -> Pass:
    verdict, *rest = told
    if verdict == 1:
        return Wait(int(rest[0]), rest[1].decode())
    return Go(int(rest[0]), probe=bool(rest[1]), failing=bool(rest[2]))
