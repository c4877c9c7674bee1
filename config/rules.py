"""What settings must be: alone (`check=` of a field) and beside each other (`conflicts`).

No text here repeats a value.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from marshmallow import ValidationError

from satyapan.environment import PREFIX, SettingFault
from satyapan.kinds import Registry
from satyapan.settings import split_address

if TYPE_CHECKING:
    from config.settings import Settings

POLICIES: Final = ("park", "fail", "reissue")
_TOKEN_KEY: Final = 32


def web_url(text: str) -> None:
    """Refuse what isn't an http or https address without credentials, query and fragment."""
    parts = split_address(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("should be an https:// address.")
    if parts.username or parts.query or parts.fragment:
        raise ValidationError("should have no user, query or fragment.")


def proxy_url(text: str) -> None:
    """Refuse what isn't an http or https proxy; it may carry credentials."""
    parts = split_address(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("should be http://host:port, with user:password@ if need be.")


def public_url(text: str) -> None:
    """Refuse addresses that a browser elsewhere should not be sent to in clear."""
    web_url(text)
    if urlsplit(text).scheme != "https" and not is_loopback(text):
        raise ValidationError("should be https:// (http:// only for this machine itself).")


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(url: str) -> bool:
    """Return True if a vendor elsewhere takes this as an address for browsers."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        return parts.scheme == "https" and ip_address(host).is_global
    except ValueError:
        _, dot, last = host.rpartition(".")
        # Browsers read 127.1 as an address, too.
        return parts.scheme == "https" and bool(dot) and not last.isdigit()


def ops_bind(text: str) -> None:
    """Refuse what is neither an address to listen on nor a word that we know."""
    if text not in {"", "public"} and not is_address(text):
        raise ValidationError("should be host:port ([host]:port for IPv6), public, or not set.")


def is_address(text: str) -> bool:
    """Return True for a host and a port to listen on, written as in a URL."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    whole = parts.netloc == text and text.endswith(f":{port}")
    return bool(host) and "@" not in text and whole


def pem(text: str) -> None:
    """Refuse what isn't an RSA public key in PEM."""
    try:
        good = isinstance(load_pem_public_key(one_per_line(text).encode()), RSAPublicKey)
    except ValueError:
        good = False
    if not good:
        raise ValidationError("should be an RSA public key in PEM.")


def one_per_line(text: str) -> str:
    r"""Give a PEM its line ends back: an .env file can only hold them as \n."""
    return text.replace("\\n", "\n")


def token_keys(keys: Collection[str]) -> None:
    """Refuse keys that could be guessed."""
    if any(len(key) < _TOKEN_KEY for key in keys):
        raise ValidationError(f"each should have at least {_TOKEN_KEY} random characters.")


def networks(texts: Collection[str]) -> None:
    """Refuse what is neither an address nor a network."""
    try:
        for text in texts:
            ip_network(text)
    except ValueError:
        raise ValidationError(
            "should be addresses or networks (203.0.113.7, 203.0.113.0/24), split by commas."
        ) from None


def policies(words: Mapping[str, str]) -> None:
    """Refuse policies that nobody knows."""
    if not set(words.values()) <= set(POLICIES):
        raise ValidationError(f"each should be one of {', '.join(POLICIES)}.")


def quotas(limits: Mapping[str, int]) -> None:
    """Refuse limits that would never let a call through."""
    if any(limit < 1 for limit in limits.values()):
        raise ValidationError("each should be at least 1 a minute.")


def conflicts(settings: "Settings", faulty: Collection[str]) -> Iterator[SettingFault]:
    """List settings that can't stand beside each other; those already faulty aren't judged."""
    for rule in _RULES:
        names = [PREFIX + name for name in rule.names]
        if not set(names) & set(faulty) and not rule.holds(settings):
            yield SettingFault(names[0], rule.message)
    yield from _unknown_names(settings)


@dataclass(frozen=True)
class _Rule:
    names: tuple[str, ...]
    """The settings it joins, without the prefix; the first is the one to be told."""
    holds: Callable[["Settings"], bool]
    message: str


_RULES: Final = (
    _Rule(
        ("CASHFREE_TOTAL_TIMEOUT_S", "CASHFREE_READ_TIMEOUT_S"),
        lambda s: s.vendor.total_timeout_s >= s.vendor.read_timeout_s,
        f"should be at least {PREFIX}CASHFREE_READ_TIMEOUT_S.",
    ),
    _Rule(
        ("CASHFREE_READ_TIMEOUT_S", "CASHFREE_CONNECT_TIMEOUT_S"),
        lambda s: s.vendor.read_timeout_s >= s.vendor.connect_timeout_s,
        f"should be at least {PREFIX}CASHFREE_CONNECT_TIMEOUT_S.",
    ),
    _Rule(
        ("WORKER_LEASE_S", "REDIS_READ_TIMEOUT_S", "REDIS_CONNECT_TIMEOUT_S"),
        lambda s: s.worker.lease_s >= 1.5 * s.redis_recovery_s,
        f"should be at least one and a half times {PREFIX}REDIS_READ_TIMEOUT_S + "
        f"{PREFIX}REDIS_CONNECT_TIMEOUT_S + 1: a worker must be able to renew its leases after a "
        "connection that died.",
    ),
    _Rule(
        ("WORKER_LEASE_S", "WORKER_SWEEP_S"),
        lambda s: s.worker.lease_s >= 12 * s.worker.sweep_s,
        f"should be at least twelve times {PREFIX}WORKER_SWEEP_S: without a sweep for a third of "
        "a lease, Redis is taken to have been away.",
    ),
    _Rule(
        ("VISIBILITY_TIMEOUT_S", "CASHFREE_TOTAL_TIMEOUT_S"),
        lambda s: s.producer.visibility_timeout_s >= 2 * s.vendor.total_timeout_s,
        f"should be at least twice {PREFIX}CASHFREE_TOTAL_TIMEOUT_S: a wake-up must not be "
        "delivered again while its call runs.",
    ),
    _Rule(
        ("DEADLINE_S", "WORKER_LEASE_S"),
        lambda s: s.producer.deadline_s > s.worker.lease_s,
        f"should be more than {PREFIX}WORKER_LEASE_S: a killed worker's claims must be taken "
        "over before their deadline.",
    ),
    _Rule(
        ("WORKER_BACKOFF_CAP_S", "WORKER_BACKOFF_BASE_S"),
        lambda s: s.worker.backoff_cap_s >= s.worker.backoff_base_s,
        f"should be at least {PREFIX}WORKER_BACKOFF_BASE_S.",
    ),
    _Rule(
        ("WORKER_POLL_MAX_S", "WORKER_POLL_MIN_S"),
        lambda s: s.worker.poll_max_s >= s.worker.poll_min_s,
        f"should be at least {PREFIX}WORKER_POLL_MIN_S.",
    ),
    _Rule(
        ("QUOTA_HORIZON_MS", "QUOTA_WINDOW_S"),
        lambda s: s.quota.horizon_ms <= s.quota.window_s * 500,
        f"should be at most half of {PREFIX}QUOTA_WINDOW_S.",
    ),
    _Rule(
        ("QUOTA_HORIZON_MS", "WORKER_SWEEP_S"),
        lambda s: s.quota.horizon_ms >= s.worker.sweep_s * 2000,
        f"should be at least twice {PREFIX}WORKER_SWEEP_S: slots are dealt when sweeping.",
    ),
    _Rule(
        ("BREAKER_COOL_DOWN_MOST_S", "BREAKER_COOL_DOWN_S"),
        lambda s: s.breaker.cool_down_most_s >= s.breaker.cool_down_s,
        f"should be at least {PREFIX}BREAKER_COOL_DOWN_S.",
    ),
    _Rule(
        ("CASHFREE_BASE_URL", "ENVIRONMENT"),
        lambda s: not s.production or s.vendor.base_url.startswith("https://"),
        f"should be https:// while {PREFIX}ENVIRONMENT is production.",
    ),
    _Rule(
        ("CALLBACKS_TOKEN_KEYS", "CALLBACKS_PUBLIC_URL"),
        lambda s: not s.callbacks.public_url or bool(s.callbacks.token_keys),
        f"is needed as soon as {PREFIX}CALLBACKS_PUBLIC_URL is set: return addresses are signed.",
    ),
    _Rule(
        ("CALLBACKS_BRAND_NAME", "CALLBACKS_BRAND_LOGO"),
        lambda s: not s.callbacks.brand_logo or bool(s.callbacks.brand_name),
        f"is needed as soon as {PREFIX}CALLBACKS_BRAND_LOGO is set: not everybody sees a logo.",
    ),
    _Rule(
        ("CALLBACKS_BRAND_NAME", "CALLBACKS_BRAND_LINK"),
        lambda s: not s.callbacks.brand_link or bool(s.callbacks.brand_name),
        f"is needed as soon as {PREFIX}CALLBACKS_BRAND_LINK is set: the link says where it leads.",
    ),
)


def _unknown_names(settings: "Settings") -> Iterator[SettingFault]:
    try:
        registry = list(Registry.with_plugins(settings.producer.kinds))
    except (ImportError, AttributeError, TypeError):
        yield SettingFault(f"{PREFIX}KINDS", "a place can't be imported or doesn't hold a Kind.")
        return
    yield from _unknown(
        "WORKER_LOST_ANSWER", settings.worker.lost_answer, {k.name for k in registry}
    )
    yield from _unknown("QUOTA_PER_MINUTE", settings.quota.per_minute, route_names(settings))


def route_names(settings: "Settings") -> set[str]:
    """Name the routes of all kinds that are served."""
    kinds = Registry.with_plugins(settings.producer.kinds)
    operations = [each for kind in kinds for each in kind.operations.values()]
    routes = (route for o in operations for route in (o.create, o.status, o.document))
    return {route.name for route in routes if route}


def _unknown(name: str, given: Mapping[str, object], known: set[str]) -> Iterator[SettingFault]:
    if not set(given) <= known:
        message = f"names something unknown; known are {', '.join(sorted(known))}."
        yield SettingFault(PREFIX + name, message)
