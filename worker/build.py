"""Puts a worker process together from settings: the one place where its parts are chosen."""

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis import Redis

from config.inbox import Inbox
from config.settings import Settings
from config.stores import ledger_client
from config.tokens import ReturnTokens, return_url
from satyapan.asking import Line
from satyapan.environment import PREFIX, SettingFault, SettingsError
from satyapan.kinds import Registry
from satyapan.kinds.model import Mode
from satyapan.names import RUN, Keys
from satyapan.records import Row
from satyapan.sealing import KeyRing
from worker.clock import RedisClock
from worker.desk import Desk
from worker.engine.blocking_calls import BlockingCalls
from worker.engine.engine import Engine
from worker.engine.leases import Leases
from worker.engine.redis_batch import RedisBatch
from worker.engine.run import Runner, Tools
from worker.gate import Figures, Gate
from worker.ingest import Ingest
from worker.ledger import Lives, Outage, WorkLedger
from worker.marker import Marker
from worker.retention import BY, Retention
from worker.rewrite import Rewrite
from worker.rules.model import Policy
from worker.sweeper import Queued, Sweep, Wake
from worker.triage import CreateRoute, Triage
from worker.vendors import Vendor
from worker.vendors.cashfree.auth import Account
from worker.vendors.cashfree.client import connect
from worker.vendors.cashfree.transport import Limits

_REPORT_S: Final = 10
"""Seconds from the end of a call until all workers know its outcome, at most."""


@dataclass(frozen=True)
class Parts:
    """What a worker process works with."""

    engine: Engine
    triage: Triage
    gate: Gate
    ingest: Ingest
    ledger: WorkLedger
    sweep: Sweep
    marker: Marker
    rewrite: Rewrite
    retention: Retention
    kinds: Registry
    policy: Policy

    def run(self, verification_id: str) -> None:
        """Take a verification as far as it goes now."""
        self.engine.run(verification_id)

    def run_all(self, ids: Sequence[str], task: str = RUN) -> None:
        """Take many verifications as far as they go now; those that only wait are registered.

        `task` is the one that brought them: what can't begin soon goes back to its queue.
        """
        self.engine.run_all(ids, task)

    def look(self, verification_id: str) -> None:
        """Read a journey's status soon, because a person came back."""
        if self.ledger.hint(verification_id, asked=True):
            self.engine.run(verification_id)

    def take(self, letter_id: str) -> None:
        """Work on a stored webhook."""
        self.ingest.take(letter_id)


def _unknown(_task: str) -> int:
    return 0


def build(settings: Settings, wake: Wake, queued: Queued = _unknown) -> Parts:
    """Build the parts; connections open at first use.

    `queued` tells how many messages wait for a task.
    """
    redis = ledger_client(settings)
    shared = settings.producer
    keys = Keys(shared.prefix)
    ring = KeyRing.parse(shared.seal_keys.reveal())
    kinds = Registry.with_plugins(shared.kinds)
    ledger = work_ledger(settings, redis, keys, ring)
    gate, clock = Gate(redis, keys, figures(settings)), RedisClock()
    vendors: dict[str, Vendor] = {"cashfree": _cashfree(settings)}
    tools = _tools(settings, redis, ledger, gate, clock, kinds, vendors)
    triage = Triage(redis, keys, gate, _create_routes(settings, kinds))
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
    marker = Marker(redis, keys, gate, clock, ledger.outage.gap)
    rewrite = Rewrite(redis, keys)
    rules = policy(settings)
    desk = Desk(ledger, inbox, kinds, rules, wake, BY)
    retention = Retention(desk, settings.retention.parked_s * 1000)
    return Parts(
        engine, triage, gate, ingest, ledger, sweep, marker, rewrite, retention, kinds, rules
    )


def _engine(settings: Settings, tools: Tools, wake: Wake, triage: Triage) -> Engine:
    """Build the engine."""
    return Engine(
        Runner(tools).run,
        partial(tools.leases.renew_forever, tools.redis),
        wake,
        triage.leave_out,
        calls=_calls(settings),
        # A quarter of what the visibility timeout leaves beside a call: the rest is for the other
        # calls of a run, and for a slow Redis.
        patience_s=(settings.producer.visibility_timeout_s - settings.vendor.total_timeout_s) / 4,
    )


def _calls(settings: Settings) -> int:
    """Return how many calls one process makes at once; a pool of processes counts one for each."""
    return settings.worker.concurrency if settings.worker.pool == "threads" else 1


def work_ledger(settings: Settings, redis: Redis, keys: Keys, ring: KeyRing) -> WorkLedger:
    """Build what may change rows."""
    lives = Lives(settings.retention.terminal_s * 1000, settings.retention.events_s * 1000)
    lease_ms = round(settings.worker.lease_s * 1000)
    return WorkLedger(redis, keys, ring, lease_ms, lives, _outage(settings))


def _outage(settings: Settings) -> Outage:
    """Derive the shortest outage, and the grace after one, from the lease and Redis' timeouts.

    A shorter absence ends no lease: each has two thirds left when it begins. After a longer one a
    holder needs a new connection; if only the clock moved, its next renewal.
    """
    renewal_s = settings.worker.lease_s / 3
    grace_s = max(settings.redis_recovery_s, renewal_s + 1)
    return Outage(gap=round(renewal_s * 1000), grace=round(grace_s * 1000))


def _tools(
    settings: Settings,
    redis: Redis,
    ledger: WorkLedger,
    gate: Gate,
    clock: RedisClock,
    kinds: Registry,
    vendors: dict[str, Vendor],
) -> Tools:
    return Tools(
        redis=RedisBatch(Line(redis).ask_all),
        calls=BlockingCalls(_calls(settings)),
        leases=Leases(ledger),
        ledger=ledger,
        gate=gate,
        vendors=vendors,
        kinds=kinds,
        policy=policy(settings),
        id_key=settings.producer.id_key_bytes(),
        limit=settings.quota.per_minute.get,
        window=round(settings.quota.window_s * 1000),
        clock=clock,
        redirect_url=_redirects(settings),
        monotonic=time.monotonic,
        jitter=random.random,
    )


def _create_routes(settings: Settings, kinds: Registry) -> CreateRoute:
    """Find create routes; not those of shared resources, which most rows need no call for."""

    def find(kind: str, vendor: str) -> tuple[str, int] | None:
        try:
            operation = kinds[kind].operation(vendor)
        except KeyError:
            return None
        route = operation.create
        limit = settings.quota.per_minute.get(route.name, route.per_minute)
        return None if operation.mode is Mode.RESOURCE else (route.name, limit)

    return find


def figures(settings: Settings) -> Figures:
    """Give the gate its measures."""
    quota, breaker = settings.quota, settings.breaker
    return Figures(
        window=round(quota.window_s * 1000),
        margin=quota.margin_ms,
        horizon=quota.horizon_ms,
        longest_call=round((settings.vendor.total_timeout_s + _REPORT_S) * 1000),
        probe=round(settings.worker.probe_s * 1000),
        calls=breaker.calls,
        in_a_row=breaker.in_a_row,
        percent=breaker.percent,
        over=round(breaker.over_s * 1000),
        cool_down=round(breaker.cool_down_s * 1000),
        cool_down_most=round(breaker.cool_down_most_s * 1000),
    )


def policy(settings: Settings) -> Policy:
    """Give the rules their table."""
    worker = settings.worker
    return Policy(
        max_attempts=worker.max_attempts,
        max_generations=worker.max_generations,
        backoff_base=round(worker.backoff_base_s * 1000),
        backoff_cap=round(worker.backoff_cap_s * 1000),
        poll_min=round(worker.poll_min_s * 1000),
        poll_max=round(worker.poll_max_s * 1000),
        lost_answer=worker.lost_answer,
    )


def _redirects(settings: Settings) -> Callable[[Row], str]:
    """Make the return URL of a row: our token, so that the vendor's parameter needs no trust."""
    hooks = settings.callbacks
    tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s)

    def url(row: Row) -> str:
        if not hooks.public_url:  # the person stays at the vendor's; polls find out all the same
            return ""
        return return_url(hooks.public_url, row.kind, tokens.sign(row.kind, row.id))

    return url


def _cashfree(settings: Settings) -> Vendor:
    vendor = settings.vendor
    account = Account(
        name="main",
        client_id=vendor.client_id,
        client_secret=vendor.client_secret.reveal(),
        public_key=vendor.public_key.reveal() if vendor.public_key else "",
        api_version=vendor.api_version,
    )
    limits = Limits(
        connect_s=vendor.connect_timeout_s,
        read_s=vendor.read_timeout_s,
        total_s=vendor.total_timeout_s,
        reply_bytes=vendor.max_reply_bytes,
        pool_size=settings.worker.concurrency,
    )
    try:
        return connect(account, vendor.base_url, limits, proxy=vendor.proxy, ca_file=vendor.ca_file)
    except OSError as error:
        text = f"can't be read as certificates ({type(error).__name__})."
        raise SettingsError([SettingFault(f"{PREFIX}CASHFREE_CA_FILE", text)]) from error


class PerProcess:
    """Gives each process its own parts: connections must not cross a fork."""

    def __init__(self, make: Callable[[], Parts]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, Parts] | None = None

    def __call__(self) -> Parts:
        """Give this process's parts, made at first use."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]
