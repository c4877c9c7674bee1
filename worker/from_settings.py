"""From settings to what the parts of a worker take: policy, limits, times, the vendor's client."""

from collections.abc import Callable
from typing import Final

from redis import Redis

from config.settings import Settings
from config.validators import rsa_key
from satyapan.names import Keys
from satyapan.records import Row
from satyapan.sealing import KeyRing
from satyapan.settings.declaration import PREFIX, SettingFault, SettingsError
from shared.return_tokens import ReturnTokens, return_url
from worker.admission.admission import Admission
from worker.admission.breakers import BreakerConfig, Breakers
from worker.admission.limiter import Limiter, LimiterConfig
from worker.engine.vendor import VendorClient
from worker.ledger.work_ledger import Lives, Outage, WorkLedger
from worker.rules.model import Policy
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.client import Cashfree
from worker.vendors.cashfree.wire import Limits, Wire

_REPORT_S: Final = 10
"""Seconds from the end of a call until all workers know its outcome, at most."""


def policy(settings: Settings) -> Policy:
    """Read the policy of the rules."""
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


def make_admission(settings: Settings, redis: Redis, keys: Keys) -> Admission:
    """Build the limiter and the breakers; these count over the vendor's window at most."""
    breaker = settings.breaker
    config = BreakerConfig(
        probe=round(settings.worker.probe_s * 1000),
        calls=breaker.calls,
        in_a_row=breaker.in_a_row,
        percent=breaker.percent,
        over=round(min(breaker.over_s, settings.quota.window_s) * 1000),
        cool_down=round(breaker.cool_down_s * 1000),
        cool_down_most=round(breaker.cool_down_most_s * 1000),
    )
    limiter = Limiter(redis, keys, limiter_config(settings))
    return Admission(limiter, Breakers(redis, keys, config))


def limiter_config(settings: Settings) -> LimiterConfig:
    """Read the limiter's configuration."""
    return LimiterConfig(
        window=round(settings.quota.window_s * 1000),
        margin=settings.quota.margin_ms,
        horizon=settings.quota.horizon_ms,
        longest_call=round((settings.vendor.total_timeout_s + _REPORT_S) * 1000),
    )


def work_ledger(settings: Settings, redis: Redis, keys: Keys, ring: KeyRing) -> WorkLedger:
    """Build the ledger under a fence."""
    lives = Lives(settings.retention.terminal_s * 1000, settings.retention.events_s * 1000)
    lease_ms = round(settings.worker.lease_s * 1000)
    return WorkLedger(redis, keys, ring, lease_ms, lives, outage(settings))


def outage(settings: Settings) -> Outage:
    """Derive the shortest outage, and the grace after one, from the lease and Redis' timeouts.

    A shorter absence ends no lease: each has two thirds left when it begins. After a longer one a
    holder needs a new connection; if only the clock moved, its next renewal.
    """
    renewal_s = settings.worker.lease_s / 3
    grace_s = max(settings.redis_recovery_s, renewal_s + 1)
    return Outage(gap=round(renewal_s * 1000), grace=round(grace_s * 1000))


def redirects(settings: Settings) -> Callable[[Row], str]:
    """Make the return URL of a row: our token, so that the vendor's parameter needs no trust."""
    hooks = settings.callbacks
    tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s)

    def url(row: Row) -> str:
        if not hooks.public_url:  # the person stays at the vendor's; polls find out all the same
            return ""
        return return_url(hooks.public_url, row.kind, tokens.sign(row.kind, row.id))

    return url


def cashfree(settings: Settings) -> VendorClient:
    """Make the client of Cashfree.

    Raises:
        SettingsError: the CA file can't be read.
    """
    vendor = settings.vendor
    credentials = Credentials(
        client_id=vendor.client_id,
        client_secret=vendor.client_secret.reveal(),
        public_key=rsa_key(vendor.public_key.reveal()) if vendor.public_key else None,
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
        wire = Wire(limits, vendor.proxy, vendor.ca_file)
    except OSError as error:
        text = f"can't be read as certificates ({type(error).__name__})."
        raise SettingsError([SettingFault(f"{PREFIX}CASHFREE_CA_FILE", text)]) from error
    return Cashfree(wire, credentials, vendor.base_url)


def calls_at_once(settings: Settings) -> int:
    """Return how many calls one process makes at once; a pool of processes counts one for each."""
    return settings.worker.concurrency if settings.worker.pool == "threads" else 1
