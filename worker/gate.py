"""The gate before every vendor call: the quota over all workers, and the account's breaker.

Judged on Redis' own clock, in one script per decision (lua/gate*.lua hold the arithmetic and its
proof). If Redis is away its error goes through: the caller waits, nothing is sent unjudged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from satyapan.names import Keys
from satyapan.scripts import load


@dataclass(frozen=True, slots=True)
class Go:
    """Call now. `probe`: this call alone tries a stopped account; report what came of it."""

    probe: bool = False


@dataclass(frozen=True, slots=True)
class At:
    """A slot is reserved: come back at this time (ms, Redis' clock), holding it."""

    slot_ms: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The account is stopped; the next probe may go at `until_ms`. Spends no attempt."""

    until_ms: int
    code: str


Pass = Go | At | Stopped


@dataclass(frozen=True, slots=True)
class Stop:
    """A stopped account, for display. Times are ms on Redis' clock."""

    code: str
    since_ms: int
    until_ms: int


class Gate:
    """Shared by all workers through Redis; holds no state of its own.

    Args:
        redis: the ledger's server.
        keys: names under the installation's prefix.
        window_ms: the vendor's window: a minute.
        margin_ms: how late a holder may come and still use its slot, the way to the vendor
            included. It is added to the window, so it costs margin/window of the quota.
        probe_ms: how long a stopped account waits for its first probe; doubles up to ten times.
        now_ms: for tests of the arithmetic only; Redis' clock can't be set.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        window_ms: int,
        margin_ms: int,
        probe_ms: int,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._figures = (window_ms, margin_ms, probe_ms)
        self._now = now_ms
        scripts = ("gate", "gate_hold", "gate_stop")
        self._enter, self._hold, self._stop = (load(redis, "worker", name) for name in scripts)

    def enter(self, account: str, route: str, limit: int, held_slot_ms: int = 0) -> Pass:
        """Ask to call; `held_slot_ms` is the slot from an earlier `At`, 0 for none.

        A slot serves one call, at its time or up to the margin later. Early comers are sent back
        to the same slot, late ones to a new one.

        Raises:
            ValueError: a limit below 1.
            RedisError: no judgement; wait and ask again.
        """
        if limit < 1:
            raise ValueError(f"the limit of route {route} is {limit}: it must be 1 or more")
        names = self._keys
        keys = [names.slots(account, route), names.hold(account, route), names.stop(account)]
        arguments = [limit, held_slot_ms, *self._figures, self._time()]
        verdict, number, code = self._enter(keys=keys, args=arguments)
        if verdict == 1:
            return At(int(number))
        if verdict == 2:  # noqa: PLR2004  the script's header names the three verdicts
            return Stopped(int(number), _text(code))
        return Go(probe=bool(number))

    def hold(self, account: str, route: str, seconds: float) -> int:
        """Hold all calls of a route for so long from now; return until when (ms). Never earlier."""
        wait_ms = max(0, round(seconds * 1000))
        key = self._keys.hold(account, route)
        return int(self._hold(keys=[key], args=[wait_ms, self._time()]))

    def stop(self, account: str, code: str) -> int:
        """Stop an account for all workers; return when (ms) the next probe may go."""
        arguments = [code, self._figures[2], self._time()]
        return int(self._stop(keys=[self._keys.stop(account)], args=arguments))

    def resume(self, account: str) -> None:
        """Let an account call again, after a probe that the vendor answered."""
        self._redis.delete(self._keys.stop(account))

    def state(self, account: str) -> Stop | None:
        """Show the breaker: None when the account may call."""
        fields: Any = self._redis.hmget(self._keys.stop(account), ["code", "since", "until"])
        code, since, until = fields
        return Stop(_text(code), int(since), int(until)) if until is not None else None

    def _time(self) -> int | str:
        return self._now() if self._now else ""


def _text(value: bytes | str) -> str:
    """Read a reply of a client that decodes, or of one that doesn't."""
    return value.decode() if isinstance(value, bytes) else value
