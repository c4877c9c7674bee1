"""The state of the whole installation, read from Redis whenever Prometheus asks.

Any one web process can tell it: workers need no port of their own. Labels are words of ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from config.breakers import read_breaker
from satyapan.names import Keys
from satyapan.records import State
from satyapan.redis_time import now_ms
from shared.inbox import WebhookState

_SHUT_HELP: Final = "1 while a breaker is open: the account's, or with a route that route's."


class Census(Collector):
    """Gauges; without Redis only `satyapan_ledger_up`, which then says 0."""

    def __init__(
        self, redis: Redis, keys: Keys, account: str, routes: Sequence[str], window_ms: int
    ) -> None:
        # redis-py types each reply as sync or async, bytes or str; this client is sync.
        self._redis: Any = redis
        self._keys = keys
        self._account = account
        self._routes = routes
        self._window_ms = window_ms

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name nothing beforehand: a registry that asks must not have to reach Redis."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read everything anew."""
        try:
            families = [self._states(), *self._waiting(), self._shut(), self._calls()]
        except RedisError:
            families = []
        answered = bool(families)
        yield GaugeMetricFamily("satyapan_ledger_up", "1 if Redis answered.", value=answered)
        yield from families

    def _states(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "satyapan_verifications", "Verifications that are stored, by state.", labels=["state"]
        )
        for state in State:
            family.add_metric([state.lower()], self._size(self._keys.index(state)))
        return family

    def _waiting(self) -> Iterator[GaugeMetricFamily]:
        now = self._now()
        late = max(0.0, (now - self._earliest(self._keys.due, now)) / 1000)
        yield GaugeMetricFamily(
            "satyapan_overdue_seconds", "How long the longest overdue row has waited.", value=late
        )
        yield GaugeMetricFamily(
            "satyapan_inbox_open", "Webhooks to work on.", value=self._size(self._keys.inbox_due)
        )
        kept = GaugeMetricFamily(
            "satyapan_inbox", "Webhooks that are kept, by state.", labels=["state"]
        )
        for state in WebhookState:
            kept.add_metric([state.lower()], self._size(self._keys.inbox_index(state)))
        yield kept

    def _shut(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("satyapan_calls_held", _SHUT_HELP, labels=["account", "route"])
        places = {"": self._keys.stop(self._account)}
        places |= {route: self._keys.breaker(self._account, route) for route in self._routes}
        for route, key in places.items():
            family.add_metric([self._account, route], read_breaker(self._redis, key) is not None)
        return family

    def _calls(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "satyapan_calls_in_window",
            "Calls that count against the vendor's quota now.",
            labels=["account", "route"],
        )
        since = self._now() - self._window_ms
        for route in self._routes:
            count = self._redis.zcount(self._keys.slots(self._account, route), f"({since}", "+inf")
            family.add_metric([self._account, route], count)
        return family

    def _size(self, key: str) -> int:
        return int(self._redis.zcard(key))

    def _earliest(self, key: str, default: int) -> float:
        first = self._redis.zrange(key, 0, 0, withscores=True)
        return float(first[0][1]) if first else float(default)

    def _now(self) -> int:
        return now_ms(self._redis)
