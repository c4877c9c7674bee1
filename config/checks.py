"""Start-up checks: is what the settings point at safe to work on?

Settings that are wrong in themselves never get here: reading refuses them.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from config.brand import read_brand
from config.breakers import read_breaker
from config.findings import Finding, Level, UnsafeStart, found, redacted, refuse_if_unsafe
from config.reference import names
from config.rules import is_loopback, route_names
from config.settings import Settings, SettingsError
from config.stores import broker_client
from satyapan.canonical import digest
from satyapan.environment import PREFIX
from satyapan.errors import Unreadable
from satyapan.kinds import Registry
from satyapan.names import Keys
from satyapan.records import ACCOUNT

OLDEST: Final = (7, 0)
"""The first Redis release with all that the scripts use; every Valkey has it."""
_SKEW_S: Final = 30
_FULL: Final = 0.8
_ALIKE: Final = 0.9

Info = Mapping[str, Any]


def run_checks(
    settings: Settings, client: Redis, now: Callable[[], float] = time.time
) -> list[Finding]:
    """Check settings and the servers that they name; takes a few round trips.

    The first run on an empty ledger leaves a sealed mark there, by which later ones know
    whether the keys are still the same.
    """
    return [
        *_account(settings),
        *_public(settings),
        *_quota(settings),
        *_ledger(settings, client, now),
        *_broker(settings),
    ]


def check_server(settings: Settings, client: Redis) -> list[Finding]:
    """Check again what may change under a running process: the ledger's server and its settings.

    Raises:
        redis.RedisError: it can't be asked.
    """
    try:
        info: Info = client.info()
    except ResponseError as error:
        return [_forbidden(redacted(settings.producer.redis_url), error)]
    return [each for check in _SERVER for each in check(settings, client, info)]


def unknown_variables(env: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables that look like misspelt settings: those are silently not read."""
    known = {name for each in names() for name in (each, f"{each}_FILE")}
    for name in sorted(env):
        near = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if name.startswith(PREFIX) and name not in known and near:
            yield found(19, "warning", f"{name} is not a setting.", f"Is {near[0]} meant?")


def _account(settings: Settings) -> Iterator[Finding]:
    vendor = settings.vendor
    if not (vendor.client_id and vendor.client_secret):
        hint = f"Set {PREFIX}CASHFREE_CLIENT_ID and {PREFIX}CASHFREE_CLIENT_SECRET."
        yield found(13, "error", "The vendor's client id or secret is not set.", hint)
    host = urlsplit(vendor.base_url).hostname or ""
    tryout = host.startswith("sandbox.") or is_loopback(vendor.base_url)
    if settings.production and tryout:
        hint = f"Set {PREFIX}CASHFREE_BASE_URL to the vendor's production address."
        yield found(14, "error", "Production points at a sandbox of the vendor.", hint)
    if not settings.production and host == "api.cashfree.com":
        hint = f"Set {PREFIX}ENVIRONMENT to production, or use the vendor's sandbox."
        yield found(14, "warning", "Development would make the vendor's paid calls.", hint)
    if settings.production and not vendor.public_key:
        hint = f"Set {PREFIX}CASHFREE_PUBLIC_KEY, or have every worker's address on the list."
        yield found(18, "warning", "Calls are not signed: the vendor goes by IP allow-list.", hint)


def _public(settings: Settings) -> Iterator[Finding]:
    url = settings.callbacks.public_url
    if not url:
        hint = f"Set {PREFIX}CALLBACKS_PUBLIC_URL if you verify by DigiLocker or KYC links."
        yield found(12, "warning", "Browsers and webhooks have no address to come to.", hint)
    elif settings.production and is_loopback(url):
        hint = f"Set {PREFIX}CALLBACKS_PUBLIC_URL to an https:// address."
        yield found(12, "error", "The public address is this machine itself.", hint)
    hooks = settings.callbacks
    yield from _brand(settings)
    # The web app speaks no TLS: where browsers use https, a proxy is in front.
    hidden = url.startswith("https://") and not hooks.proxies
    if hidden and (hooks.refusals_per_minute or hooks.vendor_addresses):
        hint = f"Set {PREFIX}CALLBACKS_PROXIES to how many proxies add to X-Forwarded-For."
        yield found(22, "warning", "Behind a proxy all webhooks seem to have one sender.", hint)


def _brand(settings: Settings) -> Iterator[Finding]:
    try:
        brand = read_brand(settings.callbacks)
    except SettingsError as error:
        name, message = error.faults[0]
        text = f"{name}: {message}"
        yield found(24, "warning", text, "`satyapan callbacks` doesn't start with it.")
        return
    if settings.production and settings.callbacks.public_url and not brand.name:
        hint = f"Set {PREFIX}CALLBACKS_BRAND_NAME: people have just shared documents there."
        yield found(24, "warning", "The return page doesn't say whose it is.", hint)


def _quota(settings: Settings) -> Iterator[Finding]:
    for kind in Registry.with_plugins(settings.producer.kinds):
        for operation in kind.operations.values():
            for route in filter(None, (operation.create, operation.status, operation.document)):
                if settings.quota.per_minute.get(route.name, 0) > route.per_minute:
                    usual = f"The vendor's usual limit for {route.name} is {route.per_minute}"
                    hint = f"Keep it in {PREFIX}QUOTA_PER_MINUTE only if the vendor raised yours."
                    yield found(15, "warning", f"{usual} a minute; yours is set higher.", hint)


def _ledger(settings: Settings, client: Redis, now: Callable[[], float]) -> Iterator[Finding]:
    place = redacted(settings.producer.redis_url)
    try:
        before = now()
        seconds, _ = client.time()
        skew = max(before - seconds - 1, seconds - now())
        info: Info = client.info()
    except ResponseError as error:
        yield _forbidden(place, error)
        return
    except RedisError as error:
        yield _unreachable(1, place, error)
        return
    if skew > _SKEW_S:
        hint = "Run a time service on both: signatures for the vendor live five minutes."
        yield found(16, "warning", f"This clock and {place} are {skew:.0f} s apart.", hint)
    yield from (each for check in _LEDGER for each in check(settings, client, info))


def _unreachable(number: int, place: str, error: RedisError) -> Finding:
    reason = "refuses the login" if isinstance(error, AuthenticationError) else "can't be reached"
    variable = "REDIS_URL" if number == 1 else "BROKER_URL"
    hint = f"Start it, or correct {PREFIX}{variable}."
    return found(number, "error", f"{place} {reason} ({type(error).__name__}).", hint)


def _forbidden(place: str, error: RedisError) -> Finding:
    message = f"{place} refuses INFO or TIME ({type(error).__name__}): its safety is unknown."
    hint = "Allow this user +info and +time; without them the quota may break after a restart."
    return found(9, "warning", message, hint)


def _eviction(_settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy") or _configured(client, "maxmemory-policy")
    hint = "Set maxmemory-policy noeviction; give a cache its own Redis."
    if not policy:
        yield found(2, "warning", "Redis doesn't tell its eviction policy.", hint)
    elif policy != "noeviction":
        message = f"Redis may drop verifications when memory runs out (maxmemory-policy {policy})."
        yield found(2, "error", message, hint)


def _persistence(settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        level: Level = "error" if settings.production else "warning"
        message = "Redis would forget verifications in a restart (no append-only file)."
        yield found(3, level, message, "Set appendonly yes and appendfsync always.")
    else:
        yield from _fsync(settings, client)
    if info.get("aof_last_write_status", "ok") != "ok":
        message = "Redis' last write to its append-only file failed."
        yield found(8, "error", message, "Look at its log and its disk.")


def _fsync(settings: Settings, client: Redis) -> Iterator[Finding]:
    """Judge when writes reach the disk: only `always` confirms none before it has."""
    when = _configured(client, "appendfsync")
    if when == "no":
        level: Level = "error" if settings.production else "warning"
        message = "Redis leaves it to the system when its file reaches the disk (appendfsync no)."
        yield found(3, level, message, "Set appendfsync always.")
    elif when == "everysec" and settings.production:
        message = "Redis confirms up to two seconds before it writes (appendfsync everysec)."
        hint = "Set appendfsync always: a kill on a slow disk, or a power failure, takes those."
        yield found(3, "warning", message, hint)
    elif settings.production and _configured(client, "no-appendfsync-on-rewrite") == "yes":
        message = "Redis syncs nothing while it rewrites its file (no-appendfsync-on-rewrite yes)."
        yield found(3, "warning", message, "Set no-appendfsync-on-rewrite no.")


def _release(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    version = str(info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if "valkey_version" not in info and numbers < OLDEST:
        message = f"Redis {version} is too old."
        yield found(4, "error", message, "Use Redis 7.0 or later, or Valkey.")


def _role(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    if info.get("role") != "master":
        hint = f"Point {PREFIX}REDIS_URL at the primary."
        yield found(5, "error", "This Redis is a replica: it takes no writes.", hint)
    mode = info.get("redis_mode") or info.get("server_mode")
    if mode == "cluster" or info.get("cluster_enabled"):
        hint = "Use a single server, with replicas if you like."
        yield found(6, "error", "This Redis is a cluster, which Celery can't use.", hint)


def _memory(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    limit, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    if limit and used > limit * _FULL:
        message = f"Redis' memory is {100 * used // limit} % full: soon it refuses submissions."
        yield found(7, "warning", message, "Raise maxmemory, or shorten the retention settings.")


def _same_keys(settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    """Compare with the keys used before; a changed id key would pay for everything twice."""
    if info.get("role") != "master":
        return
    producer, mark = settings.producer, f"{settings.producer.prefix}:mark"
    ring, ours = producer.ring(), digest(producer.id_key_bytes(), b"mark").encode()
    try:
        kept = client.get(mark)
        same = not isinstance(kept, bytes) or hmac.compare_digest(ring.open(mark, kept), ours)
        if same:
            client.set(mark, ring.seal(mark, ours))
    except Unreadable:
        hint = f"Put the old key back, behind the new one, in {PREFIX}SEAL_KEYS."
        yield found(11, "error", "The seal keys don't open what is stored here.", hint)
    except RedisError as error:
        yield found(10, "error", f"Redis takes no write ({type(error).__name__}).", "See its log.")
    else:
        if not same:
            hint = f"Set {PREFIX}ID_KEY to the old one: another gives new ids, paid for again."
            yield found(11, "error", "The id key is not the one used here before.", hint)


def _breakers(settings: Settings, client: Redis, _info: Info) -> Iterator[Finding]:
    """Tell what the workers don't call at present; it mends itself when the vendor does."""
    keys, account = Keys(settings.producer.prefix), ACCOUNT
    if stop := read_breaker(client, keys.stop(account)):
        hint = "See the vendor's dashboard: credentials, address list, balance."
        text = f"The vendor refuses account {account} ({stop.code}, since {stop.since})."
        yield found(20, "warning", text, hint)
    for name in sorted(route_names(settings)):
        if shut := read_breaker(client, keys.breaker(account, name)):
            hint = "Nothing is lost: it is tried again by itself. Ask the vendor if it lasts."
            text = f"The vendor fails at {name} ({shut.code}, since {shut.since})."
            yield found(21, "warning", text, hint)


_SERVER: Final = (_release, _role, _eviction, _persistence)
_LEDGER: Final = (*_SERVER, _memory, _same_keys, _breakers)


def _broker(settings: Settings) -> Iterator[Finding]:
    producer = settings.producer
    if producer.broker_url == producer.redis_url:
        return
    client = broker_client(settings)
    try:
        client.ping()
    except RedisError as error:
        yield _unreachable(17, redacted(producer.broker_url), error)
    finally:
        client.close()


def _configured(client: Redis, name: str) -> str:
    """Read a server's setting; managed servers forbid CONFIG, which gives ""."""
    try:
        values: Mapping[Any, Any] = client.config_get(name)
    except RedisError:
        return ""
    texts = [each.decode() if isinstance(each, bytes) else str(each) for each in values.values()]
    return texts[0] if texts else ""


__all__ = [
    "Finding",
    "UnsafeStart",
    "check_server",
    "refuse_if_unsafe",
    "run_checks",
    "unknown_variables",
]
