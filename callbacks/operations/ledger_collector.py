"""The state of the whole installation, read from Redis whenever Prometheus asks.

Any web process can report it, so workers need no port of their own. Labels are words of ours.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from config.breakers import read_breakers
from satyapan.names import Keys
from satyapan.records import ACCOUNT, MAYBE_PAID, UNPAID, State
from satyapan.redis.server_time import now_ms
from shared.inbox.stored_webhook import WebhookState

_ROUTE_LABELS: Final = ("account", "route")
_BREAKER_HELP: Final = "1 while a breaker is open: the route's, or without a route the account's."


class LedgerCollector(Collector):
    """Collects from Redis; without Redis only `satyapan_ledger_up`, which is then 0."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        routes: Callable[[], Collection[str]],
        window_ms: int,
        kinds: Collection[str] = (),
    ) -> None:
        # redis-py types each reply as sync or async, bytes or str; this client is sync.
        self._redis: Any = redis
        self._keys = keys
        self._routes = routes
        self._window_ms = window_ms
        self._kinds = kinds

    def describe(self) -> Iterable[Metric]:
        """Describe nothing: otherwise the registry would collect, which needs Redis."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read all values from Redis."""
        routes = sorted(self._routes())
        families: list[Metric]
        try:
            families = [self._states(), *self._due(), self._breakers(routes), self._calls(routes)]
            families.append(self._reissues())
        except RedisError:
            families = []
        yield GaugeMetricFamily("satyapan_ledger_up", "1 if Redis answered.", value=bool(families))
        yield from families

    def _states(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "satyapan_verifications", "Stored verifications, by state.", labels=["state"]
        )
        for state in State:
            family.add_metric([state.lower()], self._size(self._keys.index(state)))
        return family

    def _due(self) -> Iterator[GaugeMetricFamily]:
        now = now_ms(self._redis)
        overdue_s = max(0.0, (now - self._earliest(self._keys.due, now)) / 1000)
        yield GaugeMetricFamily(
            "satyapan_overdue_seconds",
            "Seconds for which the most overdue row has been due.",
            value=overdue_s,
        )
        yield GaugeMetricFamily(
            "satyapan_inbox_open",
            "Webhooks that still have to be processed.",
            value=self._size(self._keys.inbox_due),
        )
        stored = GaugeMetricFamily("satyapan_inbox", "Stored webhooks, by state.", labels=["state"])
        for state in WebhookState:
            stored.add_metric([state.lower()], self._size(self._keys.inbox_index(state)))
        yield stored

    def _breakers(self, routes: Iterable[str]) -> GaugeMetricFamily:
        family = GaugeMetricFamily("satyapan_calls_held", _BREAKER_HELP, labels=_ROUTE_LABELS)
        breakers = {"": self._keys.stop(ACCOUNT)}
        breakers |= {route: self._keys.breaker(ACCOUNT, route) for route in routes}
        found = read_breakers(self._redis, breakers.values())
        for route, shut in zip(breakers, found, strict=True):
            family.add_metric([ACCOUNT, route], shut is not None)
        return family

    def _calls(self, routes: Sequence[str]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "satyapan_calls_in_window",
            "Calls that count against the vendor's quota now.",
            labels=_ROUTE_LABELS,
        )
        since = now_ms(self._redis) - self._window_ms
        with self._redis.pipeline(transaction=False) as pipe:
            for route in routes:
                pipe.zcount(self._keys.slots(ACCOUNT, route), f"({since}", "+inf")
            counts = pipe.execute()
        for route, count in zip(routes, counts, strict=True):
            family.add_metric([ACCOUNT, route], count)
        return family

    def _reissues(self) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "satyapan_reissues",
            "Further vendor-side ids, by whether the id before may have been paid.",
            labels=["kind", "earlier_id"],
        )
        # A counter that begins at zero shows its first increase.
        known = {(kind, earlier): 0 for kind in self._kinds for earlier in (MAYBE_PAID, UNPAID)}
        stored = self._redis.hgetall(self._keys.reissues).items()
        for labels, count in (known | {_words(name): int(raw) for name, raw in stored}).items():
            family.add_metric(labels, count)
        return family

    def _size(self, key: str) -> int:
        return int(self._redis.zcard(key))

    def _earliest(self, key: str, default: int) -> float:
        first = self._redis.zrange(key, 0, 0, withscores=True)
        return float(first[0][1]) if first else float(default)


def _words(name: bytes) -> tuple[str, str]:
    """Split a field of the hash of reissues: kind, and what is known of the id before."""
    kind, _, earlier = name.decode().partition(" ")
    return kind, earlier
