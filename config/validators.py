"""Check settings: single values (`check=` of a setting) and combinations (`conflicts`).

No message repeats a value.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple
from unicodedata import category
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from marshmallow import ValidationError

from config.colours import LIGHT, READABLE, contrast, is_colour
from satyapan.kinds import Registry
from satyapan.settings.declaration import PREFIX, SettingFault
from satyapan.settings.producer import split_address

POLICIES: Final = ("park", "fail", "reissue")
LONGEST_NAME: Final = 60
_TOKEN_KEY_CHARACTERS: Final = 32
_NOT_TEXT: Final = frozenset({"Cc", "Cs"})
"""Controls, and what Python makes of bytes in the environment that are not UTF-8."""


# ---- single values ----


def web_url(text: str) -> None:
    """Accept an http or https address without credentials, query and fragment."""
    parts = split_address(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("should be an https:// address.")
    if parts.username or parts.query or parts.fragment:
        raise ValidationError("should have no user, query or fragment.")


def proxy_url(text: str) -> None:
    """Accept an http or https proxy, with or without credentials."""
    parts = split_address(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("should be http://host:port, with user:password@ if needed.")


def public_url(text: str) -> None:
    """Accept an address for browsers: https, or http on this machine."""
    web_url(text)
    if urlsplit(text).scheme != "https" and not is_loopback(text):
        raise ValidationError("should be https:// (http:// only for this machine).")


def link_url(text: str) -> None:
    """Accept an https address that shows where it leads."""
    parts = split_address(text)
    hidden = "@" in parts.netloc or " " in text or not text.isprintable()
    if parts.scheme != "https" or not parts.hostname or hidden:
        raise ValidationError("should be an https:// address without a user.")


def ops_bind(text: str) -> None:
    """Accept an address to listen on, or the word public."""
    if text not in {"", "public"} and not is_address(text):
        raise ValidationError("should be host:port ([host]:port for IPv6), public, or not set.")


def rsa_key(text: str) -> RSAPublicKey:
    """Read an RSA public key in PEM."""
    key: object = None
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(one_per_line(text).encode())
    if not isinstance(key, RSAPublicKey):
        raise ValidationError("should be an RSA public key in PEM.")
    return key


def token_keys(keys: Collection[str]) -> None:
    """Accept keys that are too long to be guessed."""
    if any(len(key) < _TOKEN_KEY_CHARACTERS for key in keys):
        raise ValidationError(f"each should have at least {_TOKEN_KEY_CHARACTERS} characters.")


def networks(texts: Collection[str]) -> None:
    """Accept IP addresses and networks."""
    try:
        for text in texts:
            ip_network(text)
    except ValueError:
        raise ValidationError(
            "should be addresses or networks (203.0.113.7, 203.0.113.0/24), separated by commas."
        ) from None


def policies(words: Mapping[str, str]) -> None:
    """Accept the known policies."""
    if not set(words.values()) <= set(POLICIES):
        raise ValidationError(f"each should be one of {', '.join(POLICIES)}.")


def quotas(limits: Mapping[str, int]) -> None:
    """Accept limits that let calls through."""
    if any(limit < 1 for limit in limits.values()):
        raise ValidationError("each should be at least 1 a minute.")


def brand_name(text: str) -> None:
    """Accept a name that fits a heading and can be written as UTF-8."""
    if len(text) > LONGEST_NAME or any(category(sign) in _NOT_TEXT for sign in text):
        raise ValidationError(f"should be one line of at most {LONGEST_NAME} characters.")


def readable_colour(text: str) -> None:
    """Accept a colour in which text on the page is readable."""
    if not is_colour(text):
        raise ValidationError("should be #rrggbb.")
    ratio = contrast(text, LIGHT)
    if ratio < READABLE:
        raise ValidationError(
            f"has a contrast of {ratio:.2f} to the page ({LIGHT}), which is hard to read: choose a "
            f"darker shade, of at least {READABLE}."
        )


def is_loopback(url: str) -> bool:
    """Return True if an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(url: str) -> bool:
    """Return True if the vendor accepts this as an address for browsers."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        return parts.scheme == "https" and ip_address(host).is_global
    except ValueError:
        _, dot, last = host.rpartition(".")
        # Browsers also read 127.1 as an IP address.
        return parts.scheme == "https" and bool(dot) and not last.isdigit()


def is_address(text: str) -> bool:
    """Return True for a host and a port to listen on, written as in a URL."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    whole = parts.netloc == text and text.endswith(f":{port}")
    return bool(host) and "@" not in text and whole


def one_per_line(text: str) -> str:
    r"""Replace each \n by a line end: an .env file can only hold a PEM so."""
    return text.replace("\\n", "\n")


# ---- combinations ----


class _Rule(NamedTuple):
    names: tuple[str, ...]
    """Settings without the prefix; the first is the one that is reported."""
    holds: Callable[..., object]
    """Takes the values of `names`, in their order."""
    message: str
    """{1} stands for the second name, and so on."""


def _at_least(name: str, other: str) -> _Rule:
    return _Rule((name, other), lambda value, least: value >= least, "should be at least {1}.")


def _needed(name: str, other: str, why: str) -> _Rule:
    message = f"is needed if {{1}} is set: {why}."
    return _Rule((name, other), lambda value, reason: value or not reason, message)


_RULES: Final = (
    _at_least("CASHFREE_TOTAL_TIMEOUT_S", "CASHFREE_READ_TIMEOUT_S"),
    _at_least("CASHFREE_READ_TIMEOUT_S", "CASHFREE_CONNECT_TIMEOUT_S"),
    _at_least("WORKER_BACKOFF_CAP_S", "WORKER_BACKOFF_BASE_S"),
    _at_least("WORKER_POLL_MAX_S", "WORKER_POLL_MIN_S"),
    _at_least("BREAKER_COOL_DOWN_MOST_S", "BREAKER_COOL_DOWN_S"),
    _needed("CALLBACKS_TOKEN_KEYS", "CALLBACKS_PUBLIC_URL", "return addresses are signed"),
    _needed("CALLBACKS_BRAND_NAME", "CALLBACKS_BRAND_LOGO", "not everybody sees a logo"),
    _needed("CALLBACKS_BRAND_NAME", "CALLBACKS_BRAND_LINK", "the link's text names its target"),
    _Rule(
        ("WORKER_LEASE_S", "REDIS_READ_TIMEOUT_S", "REDIS_CONNECT_TIMEOUT_S"),
        lambda lease, read, connect: lease >= 1.5 * recovery_s(read, connect),
        "should be at least one and a half times {1} + {2} + 1: a worker must be able to renew its "
        "leases after its connection was lost.",
    ),
    _Rule(
        ("WORKER_LEASE_S", "WORKER_SWEEP_S"),
        lambda lease, sweep: lease >= 12 * sweep,
        "should be at least twelve times {1}: a third of a lease without a sweep counts as an "
        "outage of Redis.",
    ),
    _Rule(
        ("VISIBILITY_TIMEOUT_S", "CASHFREE_TOTAL_TIMEOUT_S"),
        lambda visibility, total: visibility >= 2 * total,
        "should be at least twice {1}: a wake-up must not be delivered again while its call runs.",
    ),
    _Rule(
        ("DEADLINE_S", "WORKER_LEASE_S"),
        lambda deadline, lease: deadline > lease,
        "should be more than {1}: a killed worker's claims must be taken over before their "
        "deadline.",
    ),
    _Rule(
        ("QUOTA_HORIZON_MS", "QUOTA_WINDOW_S"),
        lambda horizon_ms, window_s: horizon_ms <= window_s * 500,
        "should be at most half of {1}.",
    ),
    _Rule(
        ("QUOTA_HORIZON_MS", "WORKER_SWEEP_S"),
        lambda horizon_ms, sweep_s: horizon_ms >= sweep_s * 2000,
        "should be at least twice {1}: each sweep assigns call times.",
    ),
    _Rule(
        ("CASHFREE_BASE_URL", "ENVIRONMENT"),
        lambda url, environment: environment != "production" or url.startswith("https://"),
        "should be https:// while {1} is production.",
    ),
)


def conflicts(values: Mapping[str, Any], faulty: Collection[str]) -> Iterator[SettingFault]:
    """List the settings that contradict each other; those in `faulty` are not compared.

    `values` and `faulty` have the variables' full names.
    """
    for rule in _RULES:
        names = [PREFIX + name for name in rule.names]
        if not set(names) & set(faulty) and not rule.holds(*(values[name] for name in names)):
            yield SettingFault(names[0], rule.message.format(*names))
    yield from _unknown_names(values)


def recovery_s(read_timeout_s: float, connect_timeout_s: float) -> float:
    """Return the seconds to notice a dead connection to Redis, and to make a new one."""
    return read_timeout_s + connect_timeout_s + 1


def route_names(kinds: Registry) -> set[str]:
    """List the names of all routes; this loads all kinds."""
    return {route.name for route in kinds.routes()}


def _unknown_names(values: Mapping[str, Any]) -> Iterator[SettingFault]:
    """Find kinds and routes that don't exist, in the settings that name them."""
    try:
        kinds = Registry.with_plugins(values[f"{PREFIX}KINDS"])
    except (ImportError, AttributeError, TypeError):
        yield SettingFault(f"{PREFIX}KINDS", "a place can't be imported or doesn't hold a Kind.")
        return
    lists: dict[str, Callable[[], Collection[str]]] = {
        "WORKER_LOST_ANSWER": lambda: kinds.names,
        "CHECK_DIGITS": lambda: kinds.names,
        "QUOTA_PER_MINUTE": lambda: route_names(kinds),
    }
    for name, list_known in lists.items():
        # Listing routes loads all kinds: only if the setting is set.
        given = set(values[PREFIX + name])
        if given and not given <= (known := set(list_known())):
            message = f"has an unknown name; known are {', '.join(sorted(known))}."
            yield SettingFault(PREFIX + name, message)
