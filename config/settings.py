"""The application's settings: read at once, frozen, with every fault in one error.

To add a setting, add a line to its section and run `python -m config.reference`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from marshmallow.validate import OneOf, Range, Regexp

from config import validators
from config.callback_settings import CallbacksSettings
from satyapan.settings.declaration import (
    POSITIVE,
    Secret,
    SettingFault,
    SettingsError,
    declared,
    read_section,
    read_values,
    setting,
)
from satyapan.settings.producer import ProducerSettings

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_DATE: Final = Regexp(
    r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})?\Z", error="should be a date (2024-12-01), or empty."
)
_HOUR_S: Final = 3600
_WEEK_S: Final = 604_800
_YEAR_S: Final = 31_536_000


@dataclass(frozen=True, kw_only=True)
class CashfreeSettings:
    """The vendor: address, credentials, time-outs."""

    base_url: str = setting(
        "https://sandbox.cashfree.com/verification",
        "The vendor's address; production is https://api.cashfree.com/verification.",
        validators.web_url,
    )
    client_id: str = setting("", "The account's client id.")
    client_secret: Secret = setting(Secret(), "The account's client secret.")
    public_key: Secret = setting(
        Secret(),
        "The account's RSA public key in PEM; calls are signed with it instead of an IP "
        "allow-list.",
        validators.rsa_key,
    )
    api_version: str = setting(
        "2024-12-01", "Value of the header x-api-version; empty: not sent.", _DATE, blank=True
    )
    webhook_secrets: tuple[Secret, ...] = setting(
        (),
        "Secrets of signed webhooks, separated by commas, the newest first; not set: the client "
        "secret.",
    )
    webhook_scheme: str = setting(
        "header",
        "Where webhooks are signed: header (over timestamp and raw body), or body (an old "
        "account's flat payloads with the signature inside); never both.",
        OneOf(["header", "body"]),
    )
    webhook_tolerance_s: int = setting(
        0,
        "Refuse webhooks whose signed time differs from ours by more seconds than this; 0: no "
        "check (the vendor may repeat a delivery with its first time).",
        Range(min=0),
    )
    connect_timeout_s: float = setting(
        5.0, "Seconds to wait for a connection to the vendor.", POSITIVE
    )
    read_timeout_s: float = setting(
        30.0, "Seconds to wait for the next byte of an answer.", POSITIVE
    )
    total_timeout_s: float = setting(45.0, "Most seconds for one whole call.", POSITIVE)
    max_reply_bytes: int = setting(8 * 1024 * 1024, "Most bytes of an answer.", Range(min=1024))
    proxy: str = setting("", "Proxy for calls to the vendor.", validators.proxy_url, show=False)
    ca_file: str = setting(
        "", "File of the certificate authorities to trust instead of the usual ones."
    )

    def __post_init__(self) -> None:
        """Derive what depends on other settings."""
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        pem = validators.one_per_line(self.public_key.reveal())
        object.__setattr__(self, "public_key", Secret(pem))
        if not self.webhook_secrets and self.client_secret:
            object.__setattr__(self, "webhook_secrets", (self.client_secret,))


@dataclass(frozen=True, kw_only=True)
class QuotaSettings:
    """How often the vendor may be called."""

    per_minute: Mapping[str, int] = setting(
        _NOTHING,
        "Calls a minute by route, where the account's limit differs from the vendor's usual one: "
        "passport=100,digilocker=50.",
        validators.quotas,
    )
    margin_ms: int = setting(
        1000,
        "Milliseconds added to the window: a quarter for late wake-ups, the rest for differences "
        "in the time that calls need to reach the vendor.",
        Range(min=0),
    )
    horizon_ms: int = setting(
        2000,
        "Milliseconds ahead for which slots are assigned. About the longest wait of a new "
        "row, even while others have a backlog.",
        Range(min=100),
    )
    window_s: int = setting(60, "Seconds of the vendor's window.", Range(min=1))


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """When calls to a failing vendor stop, by account and route."""

    calls: int = setting(
        10,
        "Number of calls from which on a share of failures opens the breaker.",
        Range(2, 100_000),
    )
    in_a_row: int = setting(
        3,
        "Number of verifications in a row whose failure opens it: while there are fewer calls, or "
        "if none was answered for SATYAPAN_BREAKER_OVER_S. Each within a day of the one before.",
        Range(2, 100_000),
    )
    percent: int = setting(
        50,
        "Share of failed calls, in per cent, that opens it: time-outs, cuts, 5xx, no connection.",
        Range(1, 100),
    )
    over_s: float = setting(
        30.0,
        "Seconds over which calls and failures are counted, at most the quota's window.",
        POSITIVE,
    )
    cool_down_s: float = setting(
        10.0,
        "Seconds to the first probe of an open breaker; doubled after each failed probe.",
        POSITIVE,
    )
    cool_down_most_s: float = setting(120.0, "Most seconds between two probes.", POSITIVE)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How workers work."""

    pool: str = setting(
        "threads",
        "Celery's pool: threads, prefork or solo.",
        OneOf(["threads", "prefork", "solo"]),
    )
    concurrency: int = setting(16, "Most calls at once in one worker process.", Range(1, 512))
    lease_s: float = setting(
        15.0,
        "Seconds without a renewal after which other workers take a claim over; a worker renews "
        "its claims every third of that.",
        Range(min=6),
    )
    sweep_s: float = setting(0.25, "Seconds between two sweeps for what is due.", POSITIVE)
    sweep_batch: int = setting(
        200,
        "Most verifications that one script of a sweep takes.",
        Range(1, 1_000),  # a script blocks the server: 1,000 for about 20 ms
    )
    lost_answer: Mapping[str, str] = setting(
        _NOTHING,
        "What happens by kind when a paid answer is lost: park, fail or reissue (buy again), as in "
        "digilocker=park. By default DigiLocker is reissued and all others are parked.",
        validators.policies,
    )
    max_attempts: int = setting(
        40,
        "Most create calls of one generation. Where a repeat is safe, they are spread from seconds "
        "to hours, up to the verification's deadline.",
        Range(1, 100),
    )
    max_generations: int = setting(3, "Most vendor-side ids of one verification.", Range(1, 100))
    backoff_base_s: float = setting(
        1.0, "Most seconds of the first wait after a failure; doubled each time.", POSITIVE
    )
    backoff_cap_s: float = setting(
        60.0,
        "Most seconds of a wait after a failure that executed nothing. Waits after an unknown "
        "outcome grow with the age of the verification.",
        POSITIVE,
    )
    poll_min_s: float = setting(5.0, "Seconds to the first status read of a journey.", POSITIVE)
    poll_max_s: float = setting(
        60.0,
        "Most seconds between two status reads of a journey, while few journeys are open.",
        POSITIVE,
    )
    probe_s: float = setting(
        30.0,
        "Seconds to the first probe of an account that the vendor refuses, or of a route where it "
        "refuses our public address or has not enabled the product; later waits grow up to ten "
        "times that.",
        POSITIVE,
    )
    soft_shutdown_s: float = setting(
        20.0,
        "Seconds for running calls to end at shutdown; shorter than the orchestrator's grace "
        "period.",
        Range(min=0),
    )


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """How long things are kept."""

    terminal_s: int = setting(
        _WEEK_S, "Seconds that a verification is kept after its end.", Range(min=_HOUR_S)
    )
    parked_s: int = setting(
        7_776_000,
        "Seconds after which a parked verification without a decision ends as FAILED and its "
        "private data is deleted; a week to a year.",
        Range(_WEEK_S, _YEAR_S),
    )
    events_s: int = setting(
        _WEEK_S, "Seconds that events stay in the results streams.", Range(min=_HOUR_S)
    )
    inbox_s: int = setting(
        _WEEK_S,
        "Seconds that webhooks are kept, also to recognise repeated ones; events that are older "
        "are ignored.",
        Range(min=_HOUR_S),
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What is logged and how."""

    level: str = setting(
        "INFO", "Least severity that is logged.", OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])
    )
    format: str = setting("json", "json, or console for people.", OneOf(["json", "console"]))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a process of the application."""

    producer: ProducerSettings
    vendor: CashfreeSettings
    quota: QuotaSettings
    breaker: BreakerSettings
    worker: WorkerSettings
    callbacks: CallbacksSettings
    retention: RetentionSettings
    log: LogSettings
    environment: str = setting(
        "development",
        "development or production. In production, warnings of `satyapan check` that endanger data "
        "or money are errors.",
        OneOf(["development", "production"]),
    )

    @property
    def production(self) -> bool:
        """Return True if real people's data are processed."""
        return self.environment == "production"

    @property
    def redis_recovery_s(self) -> float:
        """Return the seconds to notice a dead connection to Redis, and to make a new one."""
        producer = self.producer
        return validators.recovery_s(
            producer.redis_read_timeout_s, producer.redis_connect_timeout_s
        )


SECTIONS: Final[Mapping[str, tuple[str, type[Any]]]] = {
    "producer": ("", ProducerSettings),
    "vendor": ("CASHFREE_", CashfreeSettings),
    "quota": ("QUOTA_", QuotaSettings),
    "breaker": ("BREAKER_", BreakerSettings),
    "worker": ("WORKER_", WorkerSettings),
    "callbacks": ("CALLBACKS_", CallbacksSettings),
    "retention": ("RETENTION_", RetentionSettings),
    "log": ("LOG_", LogSettings),
}
"""Attribute of Settings to the prefix of its variables and its class."""


def read_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read all settings from `env`, by default the process' environment.

    Raises:
        SettingsError: it holds every fault, of single settings and of combinations; no text
            repeats a value.
    """
    given = os.environ if env is None else env
    faults = list[SettingFault]()
    sections = {
        name: read_section(section, given, faults, prefix)
        for name, (prefix, section) in SECTIONS.items()
    }
    settings = Settings(**sections, **read_values(Settings, given, faults))
    faults += validators.conflicts(dict(_values(settings)), {fault.name for fault in faults})
    if faults:
        raise SettingsError(faults)
    return settings


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    """List all values by variable."""
    for each in declared(Settings):
        yield each.name, getattr(settings, each.attribute)
    for name, (prefix, section) in SECTIONS.items():
        for each in declared(section, prefix):
            yield each.name, getattr(getattr(settings, name), each.attribute)
