"""Checks of a Redis server: is it fit to hold the ledger, or to carry the wake-ups?"""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from config.findings import Finding, Level, found, redacted
from config.redis_clients import broker_client
from config.settings import Settings
from satyapan.settings.declaration import PREFIX

OLDEST: Final = (7, 0)
"""The first Redis release with all that the scripts use; every Valkey has it."""

Info = Mapping[str, Any]
Check = Callable[[Settings, Redis, Info], Iterator[Finding]]


def check_server(settings: Settings, client: Redis) -> list[Finding]:
    """Check again what may change under a running process: the ledger's server and its settings.

    Raises:
        redis.RedisError: it can't be asked.
    """
    try:
        info: Info = client.info()
    except ResponseError as error:
        return [forbidden(redacted(settings.producer.redis_url), error)]
    return judge(settings, client, info, SERVER)


def judge(settings: Settings, client: Redis, info: Info, checks: Sequence[Check]) -> list[Finding]:
    """Run checks on what a server said of itself. A Sentinel fails without further checks."""
    if _mode(info) == "sentinel":
        hint = f"Point {PREFIX}REDIS_URL at the primary, or at an address that follows it."
        return [found(6, "error", "This is a Sentinel, not the server that it watches.", hint)]
    return [each for check in checks for each in check(settings, client, info)]


def check_broker(settings: Settings) -> list[Finding]:
    """Check the broker's server, unless it is the ledger's.

    It needs no append-only file: a wake-up that it loses costs seconds, never a verification.
    """
    producer = settings.producer
    if producer.broker_url == producer.redis_url:
        return []
    place, client = redacted(producer.broker_url), broker_client(settings)
    try:
        info: Info = client.info()
    except ResponseError as error:
        # The quota doesn't depend on this server.
        return [_of_broker(replace(forbidden(place, error), hint="Allow this user +info."))]
    except RedisError as error:
        return [unreachable(17, place, error)]
    finally:
        client.close()
    return [_of_broker(each) for each in judge(settings, client, info, _BROKER)]


def _of_broker(finding: Finding) -> Finding:
    """Name the broker, what it holds and its setting in a finding about its server."""
    hint = finding.hint.replace(f"{PREFIX}REDIS_URL", f"{PREFIX}BROKER_URL")
    message = finding.message.replace("verifications", "wake-ups")
    return replace(finding, message=f"The broker: {message}", hint=hint)


def unreachable(number: int, place: str, error: RedisError) -> Finding:
    """Make the finding of a server that doesn't answer: why, and what to set."""
    variable = f"{PREFIX}{'REDIS_URL' if number == 1 else 'BROKER_URL'}"
    reason, hint = "can't be reached", f"Start it, or correct {variable}."
    if isinstance(error, AuthenticationError):
        reason, hint = "refuses the login", f"Correct user and password in {variable}."
    if _untrusted(error):
        reason = "shows a certificate that this machine doesn't trust"
        hint = f"If it is signed by your own authority: add ?ssl_ca_certs=FILE to {variable}."
    return found(number, "error", f"{place} {reason} ({type(error).__name__}).", hint)


def _untrusted(error: BaseException) -> bool:
    """Return True if a certificate is the cause; redis-py wraps the error that says so."""
    chain: BaseException | None = error
    while chain is not None and not isinstance(chain, ssl.SSLCertVerificationError):
        chain = chain.__cause__ or chain.__context__
    return chain is not None


def forbidden(place: str, error: RedisError) -> Finding:
    """Make the finding of a server that refuses to describe itself."""
    message = f"{place} refuses INFO or TIME ({type(error).__name__}): its safety is unknown."
    hint = "Allow this user +info and +time; without them the quota may break after a restart."
    return found(9, "warning", message, hint)


def _eviction(_settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    name = "maxmemory-policy"
    policy = info.get("maxmemory_policy") or _configured(client, name).get(name)
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
    syncs = sync_settings(client)
    when = syncs.get("appendfsync")
    if when == "no":
        level: Level = "error" if settings.production else "warning"
        message = "Redis leaves it to the system when its file reaches the disk (appendfsync no)."
        yield found(3, level, message, "Set appendfsync always.")
    elif when == "everysec" and settings.production:
        message = "Redis confirms up to two seconds before it writes (appendfsync everysec)."
        hint = "Set appendfsync always: a kill on a slow disk, or a power failure, takes those."
        yield found(3, "warning", message, hint)
    elif settings.production and syncs.get("no-appendfsync-on-rewrite") == "yes":
        message = "Redis syncs nothing while it rewrites its file (no-appendfsync-on-rewrite yes)."
        yield found(3, "warning", message, "Set no-appendfsync-on-rewrite no.")


def _release(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    version = str(info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if "valkey_version" not in info and numbers < OLDEST:
        message = f"Redis {version} is too old."
        yield found(4, "error", message, "Use Redis 7.0 or later, or Valkey.")


def _mode(info: Info) -> object:
    return info.get("redis_mode") or info.get("server_mode")


def _role(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    if info.get("role") != "master":
        hint = f"Point {PREFIX}REDIS_URL at the primary."
        yield found(5, "error", "This Redis is a replica: it takes no writes.", hint)
    if _mode(info) == "cluster" or info.get("cluster_enabled"):
        hint = "Use a single server, with replicas if you like."
        yield found(6, "error", "This Redis is a cluster, which Celery can't use.", hint)


SERVER: Final[tuple[Check, ...]] = (_release, _role, _eviction, _persistence)
_BROKER: Final[tuple[Check, ...]] = (_release, _role, _eviction)


def sync_settings(client: Redis) -> Mapping[str, str]:
    """Read the settings that say when a server's append-only file reaches its disk."""
    return _configured(client, "*appendfsync*")


def _configured(client: Redis, pattern: str) -> Mapping[str, str]:
    """Read a server's settings by name; managed servers forbid CONFIG, which gives none."""
    try:
        found: Mapping[Any, Any] = client.config_get(pattern)
    except RedisError:
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _text(raw: object) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
