"""The parts of the application's settings, each setting declared once, on its field.

Faults, `.env.example` and docs/settings.md follow from the declarations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from marshmallow.validate import OneOf, Range, Regexp

from config import rules
from satyapan.environment import Secret, setting

POSITIVE: Final = Range(min=0, min_inclusive=False)
NOT_NEGATIVE: Final = Range(min=0)
FLOOR: Final = Range(min=3600)


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class CashfreeSettings:
    """Where the vendor is and how long to wait for it."""

    base_url: str = field(
        default="https://sandbox.cashfree.com/verification",
        metadata=setting(
            "BASE_URL",
            "The vendor's address; production is https://api.cashfree.com/verification.",
            check=[rules.web_url],
        ),
    )
    client_id: str = field(default="", metadata=setting("CLIENT_ID", "The account's client id."))
    client_secret: Secret = field(
        default=Secret(), metadata=setting("CLIENT_SECRET", "The account's client secret.")
    )
    public_key: Secret = field(
        default=Secret(),
        metadata=setting(
            "PUBLIC_KEY",
            "The account's RSA public key in PEM; calls are signed with it instead of an IP "
            "allow-list.",
            check=[rules.pem],
        ),
    )
    api_version: str = field(
        default="2024-12-01",
        metadata=setting(
            "API_VERSION",
            "Sent as x-api-version; empty: not sent.",
            check=[
                Regexp(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})?\Z", error="should be a date, or empty.")
            ],
            blank=True,
        ),
    )
    webhook_secrets: tuple[Secret, ...] = field(
        default=(),
        metadata=setting(
            "WEBHOOK_SECRETS",
            "Secrets that webhooks may be signed with, the newest first; not set: the client "
            "secret.",
        ),
    )
    webhook_scheme: str = field(
        default="header",
        metadata=setting(
            "WEBHOOK_SCHEME",
            "How webhooks are signed: header (over timestamp and raw body), or body (an old "
            "account's flat payloads, signature inside); never both.",
            check=[OneOf(["header", "body"])],
        ),
    )
    webhook_tolerance_s: int = field(
        default=0,
        metadata=setting(
            "WEBHOOK_TOLERANCE_S",
            "Refuse webhooks signed more than so many seconds ago or ahead; 0 refuses none (the "
            "vendor may repeat a delivery under its first time).",
            check=[NOT_NEGATIVE],
        ),
    )
    connect_timeout_s: float = field(
        default=5.0,
        metadata=setting(
            "CONNECT_TIMEOUT_S", "Seconds to wait for a connection to the vendor.", check=[POSITIVE]
        ),
    )
    read_timeout_s: float = field(
        default=30.0,
        metadata=setting(
            "READ_TIMEOUT_S", "Seconds to wait for the next byte of an answer.", check=[POSITIVE]
        ),
    )
    total_timeout_s: float = field(
        default=45.0,
        metadata=setting(
            "TOTAL_TIMEOUT_S", "Seconds that one call may take in all.", check=[POSITIVE]
        ),
    )
    max_reply_bytes: int = field(
        default=8 * 1024 * 1024,
        metadata=setting(
            "MAX_REPLY_BYTES", "Largest answer that is read.", check=[Range(min=1024)]
        ),
    )
    proxy: str = field(
        default="",
        repr=False,
        metadata=setting("PROXY", "Proxy for calls to the vendor.", check=[rules.proxy_url]),
    )
    ca_file: str = field(
        default="",
        metadata=setting(
            "CA_FILE", "File of certificate authorities to trust instead of the usual ones."
        ),
    )

    def __post_init__(self) -> None:
        """Fill in what depends on other settings."""
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        pem = rules.one_per_line(self.public_key.reveal())
        object.__setattr__(self, "public_key", Secret(pem))
        if not self.webhook_secrets and self.client_secret:
            object.__setattr__(self, "webhook_secrets", (self.client_secret,))


@dataclass(frozen=True, kw_only=True)
class QuotaSettings:
    """How often the vendor may be called."""

    per_minute: Mapping[str, int] = field(
        default_factory=_nothing,
        metadata=setting(
            "PER_MINUTE",
            "Calls a minute by route, where the account's limit isn't the vendor's usual one: "
            "passport=100,digilocker=50.",
            check=[rules.quotas],
        ),
    )
    margin_ms: int = field(
        default=1000,
        metadata=setting(
            "MARGIN_MS",
            "Milliseconds added to the window: a quarter for wake-ups that come late, the rest for "
            "calls that take longer than others to reach the vendor.",
            check=[NOT_NEGATIVE],
        ),
    )
    horizon_ms: int = field(
        default=2000,
        metadata=setting(
            "HORIZON_MS",
            "Milliseconds ahead for which call times are dealt to those who wait; a newcomer waits "
            "about so long although others have a backlog.",
            check=[Range(min=100)],
        ),
    )
    window_s: int = field(
        default=60,
        metadata=setting(
            "WINDOW_S", "Length of the vendor's window in seconds.", check=[Range(min=1)]
        ),
    )


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """When the vendor is left alone because it fails, each account and route by itself."""

    calls: int = field(
        default=10,
        metadata=setting(
            "CALLS",
            "Of so many calls a share that fails opens the breaker.",
            check=[Range(min=2, max=100_000)],
        ),
    )
    in_a_row: int = field(
        default=3,
        metadata=setting(
            "IN_A_ROW",
            "While there are fewer calls: so many verifications that fail one after the other open "
            "it.",
            check=[Range(min=2, max=100_000)],
        ),
    )
    percent: int = field(
        default=50,
        metadata=setting(
            "PERCENT",
            "Share of calls, in per cent, whose failure opens it: time-outs, cuts, 5xx, no "
            "connection.",
            check=[Range(min=1, max=100)],
        ),
    )
    over_s: float = field(
        default=30.0,
        metadata=setting(
            "OVER_S",
            "Seconds over which calls and failures are counted, at most the quota's window.",
            check=[POSITIVE],
        ),
    )
    cool_down_s: float = field(
        default=10.0,
        metadata=setting(
            "COOL_DOWN_S",
            "Seconds to the first probe of an open breaker; they double with each that fails.",
            check=[POSITIVE],
        ),
    )
    cool_down_most_s: float = field(
        default=120.0,
        metadata=setting("COOL_DOWN_MOST_S", "Most seconds between two probes.", check=[POSITIVE]),
    )


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How workers work."""

    pool: str = field(
        default="threads",
        metadata=setting(
            "POOL",
            "Celery's pool: threads, prefork or solo.",
            check=[OneOf(["threads", "prefork", "solo"])],
        ),
    )
    concurrency: int = field(
        default=16,
        metadata=setting(
            "CONCURRENCY", "Calls at once in one worker process.", check=[Range(min=1, max=512)]
        ),
    )
    lease_s: float = field(
        default=15.0,
        metadata=setting(
            "LEASE_S",
            "Seconds without a renewal after which other workers take a claim over; a worker "
            "renews its claims every third of that.",
            check=[Range(min=6)],
        ),
    )
    sweep_s: float = field(
        default=0.25,
        metadata=setting("SWEEP_S", "Seconds between two looks for what is due.", check=[POSITIVE]),
    )
    sweep_batch: int = field(
        default=200,
        metadata=setting(
            "SWEEP_BATCH",
            "Most verifications that one script of a sweep takes.",
            # A script holds up the server: 1,000 for about 20 ms.
            check=[Range(min=1, max=1_000)],
        ),
    )
    lost_answer: Mapping[str, str] = field(
        default_factory=_nothing,
        metadata=setting(
            "LOST_ANSWER",
            "What to do by kind when a paid answer is lost for good: park, fail or reissue, as in "
            "passport=park.",
            check=[rules.policies],
        ),
    )
    max_attempts: int = field(
        default=5,
        metadata=setting(
            "MAX_ATTEMPTS", "Most vendor calls of one generation.", check=[Range(min=1, max=100)]
        ),
    )
    max_generations: int = field(
        default=3,
        metadata=setting(
            "MAX_GENERATIONS",
            "Most vendor-side ids of one verification.",
            check=[Range(min=1, max=100)],
        ),
    )
    backoff_base_s: float = field(
        default=1.0,
        metadata=setting(
            "BACKOFF_BASE_S",
            "Upper bound of the first wait after a failure, in seconds; it doubles.",
            check=[POSITIVE],
        ),
    )
    backoff_cap_s: float = field(
        default=60.0,
        metadata=setting(
            "BACKOFF_CAP_S",
            "Upper bound of every wait after a failure, in seconds.",
            check=[POSITIVE],
        ),
    )
    poll_min_s: float = field(
        default=5.0,
        metadata=setting(
            "POLL_MIN_S", "Seconds to the first status read of a journey.", check=[POSITIVE]
        ),
    )
    poll_max_s: float = field(
        default=60.0,
        metadata=setting(
            "POLL_MAX_S",
            "Most seconds between two status reads of a journey, while few journeys are open.",
            check=[POSITIVE],
        ),
    )
    probe_s: float = field(
        default=30.0,
        metadata=setting(
            "PROBE_S",
            "Seconds to the first probe of an account that the vendor stopped, or of a route where "
            "it refuses our public address; later ones wait longer, at most ten times that.",
            check=[POSITIVE],
        ),
    )
    soft_shutdown_s: float = field(
        default=20.0,
        metadata=setting(
            "SOFT_SHUTDOWN_S",
            "Seconds that running calls get to end at shutdown; keep it below the orchestrator's "
            "grace period.",
            check=[NOT_NEGATIVE],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """How long things are kept."""

    terminal_s: int = field(
        default=604_800,
        metadata=setting(
            "TERMINAL_S", "Seconds that a verification is kept after its end.", check=[FLOOR]
        ),
    )
    parked_s: int = field(
        default=7_776_000,
        metadata=setting(
            "PARKED_S",
            "Seconds after which a parked verification that nobody decided about ends as FAILED "
            "and its private data is shredded; a week to a year.",
            check=[Range(min=604_800, max=31_536_000)],
        ),
    )
    events_s: int = field(
        default=604_800,
        metadata=setting(
            "EVENTS_S", "Seconds that events stay in the results streams.", check=[FLOOR]
        ),
    )
    inbox_s: int = field(
        default=604_800,
        metadata=setting(
            "INBOX_S",
            "Seconds that webhooks are kept, also to know repeated ones; older news is dropped.",
            check=[FLOOR],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What is logged and how."""

    level: str = field(
        default="INFO",
        metadata=setting(
            "LEVEL",
            "Least severity that is logged.",
            check=[OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])],
        ),
    )
    format: str = field(
        default="json",
        metadata=setting(
            "FORMAT", "json, or console for people.", check=[OneOf(["json", "console"])]
        ),
    )
