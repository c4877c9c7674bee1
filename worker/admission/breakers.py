"""The breakers: the account's, when the vendor refuses it, and each route's, when the vendor fails.

The limiter reads them at each call; an open one admits one call at a time, to probe the vendor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from satyapan.names import Keys
from satyapan.records import Row
from satyapan.redis.scripts import load


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """The breakers' configuration; times in ms."""

    probe: int = 30_000
    """How long a stopped account waits for its first probe; doubles up to ten times."""
    calls: int = 10
    """The share of failed calls counts only from this number of calls on."""
    in_a_row: int = 3
    """With fewer calls, or when all have failed for the time `over`, this number of verifications
    that fail in a row opens it."""
    percent: int = 50
    """The share of failed calls, in per cent, that opens it."""
    over: int = 30_000
    """The time over which calls are counted, at most the limiter's window."""
    cool_down: int = 10_000
    """How long it waits for its first probe; doubles up to `cool_down_most`."""
    cool_down_most: int = 120_000


class Breakers:
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
        config: BreakerConfig,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._config = config
        self._now = now_ms
        self._open = load(redis, "worker", "open_breaker")
        self._close = load(redis, "worker", "close_breaker")

    def stop(self, account: str, code: str, *, probe: bool = False) -> int:
        """Stop an account for all workers; return when (ms) the next probe may go."""
        until, _ = self._hold(self._keys.stop(account), code, probe=probe)
        return until

    def fail(self, row: Row, route: str, code: str, *, probe: bool = False) -> bool:
        """Count a failed call; return True if that opens the route's breaker."""
        names, config = self._keys, self._config
        keys = [names.breaker(row.account, route), names.failures(row.account, route)]
        keys += [names.slots(row.account, route), names.streak(row.account, route)]
        times = [config.cool_down, config.cool_down_most, int(probe), self._time()]
        arguments = [code, *times, row.id, config.over, config.calls, config.percent]
        arguments.append(config.in_a_row)
        _, opened = self._open(keys=keys, args=arguments)
        return bool(opened)

    def refuse(self, account: str, route: str, code: str, *, probe: bool = False) -> bool:
        """Hold a route whose every call would be refused; return True if its breaker opens now."""
        _, opened = self._hold(self._keys.breaker(account, route), code, probe=probe)
        return opened

    def _hold(self, key: str, code: str, *, probe: bool) -> tuple[int, bool]:
        """Open a breaker after one call; return when the next probe may go, and if it was shut."""
        first = self._config.probe
        arguments = [code, first, first * 10, int(probe), self._time()]
        until, opened = self._open(keys=[key], args=arguments)
        return int(until), bool(opened)

    def resume(self, account: str, route: str = "") -> None:
        """Close the account's breaker, or a route's, after a probe that was answered.

        Verifications that failed on the route are due now.
        """
        names = self._keys
        if route:
            keys = [names.breaker(account, route), names.failures(account, route)]
            keys += [names.streak(account, route), names.due]
            self._close(keys=keys, args=[names.row(""), self._time()])
        else:
            self._redis.delete(names.stop(account))

    def answered(self, account: str, route: str) -> None:
        """Record that a call was answered: failures in a row are counted from zero again."""
        self._redis.delete(self._keys.streak(account, route))

    def _time(self) -> int | str:
        return self._now() if self._now else ""
