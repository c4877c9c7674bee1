"""Build a worker process from settings: the one place where its parts are chosen."""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from redis import Redis

from config.redis_clients import ledger_client
from config.settings import Settings
from satyapan.kinds import Registry
from satyapan.kinds.model import Mode
from satyapan.names import Keys
from satyapan.redis.script_calls import BatchConnection
from shared.inbox.inbox import Inbox
from worker.admission.admission import Admission
from worker.admission.redis_clock import RedisClock
from worker.admission.triage import CreateRoute, Triage
from worker.broker.wakeups import Wake
from worker.engine.blocking_calls import BlockingCalls
from worker.engine.engine import Engine
from worker.engine.leases import Leases
from worker.engine.redis_batch import RedisBatch
from worker.engine.run import Runner, Tools
from worker.from_settings import (
    calls_at_once,
    cashfree,
    make_admission,
    policy,
    redirects,
    work_ledger,
)
from worker.ledger.rewrite import Rewrite
from worker.ledger.work_ledger import WorkLedger
from worker.maintenance.marker import Marker
from worker.maintenance.retention import BY, Retention
from worker.maintenance.sweeper import Queued, Sweep
from worker.operator.actions import OperatorActions
from worker.rules.model import Policy
from worker.webhooks.ingest import Ingest


@dataclass(frozen=True)
class Parts:
    """The parts of a worker process."""

    engine: Engine
    triage: Triage
    admission: Admission
    ingest: Ingest
    ledger: WorkLedger
    sweep: Sweep
    marker: Marker
    rewrite: Rewrite
    retention: Retention
    kinds: Registry
    policy: Policy

    def check_status(self, verification_id: str) -> None:
        """Read a journey's status soon, because a person came back."""
        if self.ledger.hint(verification_id, asked=True):
            self.engine.run(verification_id)


def build(settings: Settings, wake: Wake, queued: Queued = lambda _task: 0) -> Parts:
    """Build the parts; connections open at first use.

    `queued` returns how many messages wait for a task.
    """
    redis = ledger_client(settings)
    shared = settings.producer
    keys = Keys(shared.prefix)
    ring = shared.ring()
    kinds = Registry.with_plugins(shared.kinds)
    ledger = work_ledger(settings, redis, keys, ring)
    admission, clock = make_admission(settings, redis, keys), RedisClock()
    tools = _tools(settings, redis, ledger, admission, clock, kinds)
    triage = Triage(redis, keys, admission.limiter, _create_routes(settings, kinds))
    engine = _engine(settings, tools, wake, triage)
    inbox = Inbox(redis, keys, ring, settings.retention.inbox_s * 1000, shared.id_key_bytes())
    ingest = Ingest(inbox, ledger, engine, kinds, shared.id_key_bytes())
    sweep = Sweep(
        redis,
        keys,
        triage,
        wake,
        queued=queued,
        batch=settings.worker.sweep_batch,
        chunk=shared.chunk,
        keep_ms=ledger.lives.terminal,
    )
    marker = Marker(redis, keys, admission.limiter, clock, ledger.outage.gap)
    rewrite = Rewrite(redis, keys)
    rules = policy(settings)
    operator = OperatorActions(ledger, inbox, kinds, rules, wake, BY)
    retention = Retention(operator, settings.retention.parked_s * 1000)
    return Parts(
        engine, triage, admission, ingest, ledger, sweep, marker, rewrite, retention, kinds, rules
    )


def _engine(settings: Settings, tools: Tools, wake: Wake, triage: Triage) -> Engine:
    """Build the engine."""
    return Engine(
        Runner(tools).run,
        partial(tools.leases.renew_forever, tools.redis),
        wake,
        triage.leave_out,
        calls=calls_at_once(settings),
        # A quarter of what the visibility timeout leaves beside a call: the rest is for the other
        # calls of a run, and for a slow Redis.
        patience_s=(settings.producer.visibility_timeout_s - settings.vendor.total_timeout_s) / 4,
    )


def _tools(
    settings: Settings,
    redis: Redis,
    ledger: WorkLedger,
    admission: Admission,
    clock: RedisClock,
    kinds: Registry,
) -> Tools:
    return Tools(
        redis=RedisBatch(BatchConnection(redis).call_all),
        calls=BlockingCalls(calls_at_once(settings)),
        leases=Leases(ledger),
        ledger=ledger,
        admission=admission,
        vendors={"cashfree": cashfree(settings)},
        kinds=kinds,
        policy=policy(settings),
        id_key=settings.producer.id_key_bytes(),
        limit=settings.quota.per_minute.get,
        window=round(settings.quota.window_s * 1000),
        clock=clock,
        redirect_url=redirects(settings),
        monotonic=time.monotonic,
        jitter=random.random,
    )


def _create_routes(settings: Settings, kinds: Registry) -> CreateRoute:
    """Find create routes, but not of shared resources: most of their rows need no call."""

    def find(kind: str, key: str) -> tuple[str, int] | None:
        try:
            operation = kinds[kind].operation(key)
        except KeyError:
            return None
        route = operation.create
        limit = settings.quota.per_minute.get(route.name, route.per_minute)
        return None if operation.mode is Mode.RESOURCE else (route.name, limit)

    return find


class PerProcess:
    """Builds the parts once per process: connections must not cross a fork."""

    def __init__(self, make: Callable[[], Parts]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, Parts] | None = None

    def __call__(self) -> Parts:
        """Return this process's parts, built at first use."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]
