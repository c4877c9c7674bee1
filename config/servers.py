"""Checks of a Redis server: is it safe for the ledger, or for the broker?"""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from config.findings import Finding, Level, found, redacted
from config.redis_clients import broker_client
from config.settings import Settings
from satyapan.errors import causes
from satyapan.settings.declaration import PREFIX

OLDEST: Final = (7, 0)
"""The first Redis release that the scripts work on; every Valkey release is newer."""

Info = Mapping[str, Any]
Check = Callable[[Settings, Redis, Info], Iterator[Finding]]


def check_server(settings: Settings, client: Redis) -> list[Finding]:
    """Check the ledger's server: what may change while a process runs.

    Raises:
        redis.RedisError: the server doesn't answer.
    """
    try:
        info: Info = client.info()
    except ResponseError as error:
        return [forbidden(redacted(settings.producer.redis_url), error)]
    return judge(settings, client, info, SERVER)


def judge(settings: Settings, client: Redis, info: Info, checks: Sequence[Check]) -> list[Finding]:
    """Run checks on a server's INFO; a Sentinel fails without further checks."""
    if _mode(info) == "sentinel":
        hint = f"Point {PREFIX}REDIS_URL at the primary, or at an address that follows it."
        return [found(6, "error", "This is a Sentinel, not a data server.", hint)]
    return [each for check in checks for each in check(settings, client, info)]


def check_broker(settings: Settings) -> list[Finding]:
    """Check the broker's server, unless it is the ledger's.

    It needs no append-only file: a lost wake-up delays a verification by seconds.
    """
    producer = settings.producer
    if producer.broker_url == producer.redis_url:
        return []
    place, client = redacted(producer.broker_url), broker_client(settings)
    try:
        info: Info = client.info()
    except ResponseError as error:
        # The quota doesn't depend on this server, so TIME is not needed.
        return [_of_broker(replace(forbidden(place, error), hint="Allow this user +info."))]
    except RedisError as error:
        return [unreachable(17, place, error)]
    finally:
        client.close()
    return [_of_broker(each) for each in judge(settings, client, info, _BROKER)]


def _of_broker(finding: Finding) -> Finding:
    """Reword a finding about the ledger's server for the broker's."""
    hint = finding.hint.replace(f"{PREFIX}REDIS_URL", f"{PREFIX}BROKER_URL")
    message = finding.message.replace("verifications", "wake-ups")
    return replace(finding, message=f"The broker: {message}", hint=hint)


def unreachable(number: int, place: str, error: RedisError) -> Finding:
    """Build the finding of a server that doesn't answer: why, and what to set."""
    variable = f"{PREFIX}{'REDIS_URL' if number == 1 else 'BROKER_URL'}"
    reason, hint = "can't be reached", f"Start it, or correct {variable}."
    if isinstance(error, AuthenticationError):
        reason, hint = "refuses the login", f"Correct user and password in {variable}."
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes(error)):
        reason = "has a certificate that this machine doesn't trust"
        hint = f"If your own authority signed it: add ?ssl_ca_certs=FILE to {variable}."
    return found(number, "error", f"{place} {reason} ({type(error).__name__}).", hint)


def forbidden(place: str, error: RedisError) -> Finding:
    """Build the finding of a server that refuses INFO or TIME."""
    message = f"{place} refuses INFO or TIME ({type(error).__name__}): its safety is unknown."
    hint = "Allow this user +info and +time; without them the quota may break after a restart."
    return found(9, "warning", message, hint)


def _eviction(_settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    name = "maxmemory-policy"
    policy = info.get("maxmemory_policy") or _configured(client, name).get(name)
    hint = "Set maxmemory-policy noeviction; use another Redis for caches."
    if not policy:
        yield found(2, "warning", "Redis doesn't show its eviction policy.", hint)
    elif policy != "noeviction":
        message = (
            f"Redis may drop verifications when its memory is full (maxmemory-policy {policy})."
        )
        yield found(2, "error", message, hint)


def _persistence(settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        level: Level = "error" if settings.production else "warning"
        message = "Redis loses verifications in a restart (no append-only file)."
        yield found(3, level, message, "Set appendonly yes and appendfsync always.")
    else:
        yield from _fsync(settings, client)
    if info.get("aof_last_write_status", "ok") != "ok":
        message = "Redis' last write to its append-only file failed."
        yield found(8, "error", message, "See its log, and check its disk.")


def _fsync(settings: Settings, client: Redis) -> Iterator[Finding]:
    """Check when writes reach the disk: only with `always` before they are confirmed."""
    syncs = sync_settings(client)
    when = syncs.get("appendfsync")
    if when == "no":
        level: Level = "error" if settings.production else "warning"
        message = "Redis doesn't control when its file reaches the disk (appendfsync no)."
        yield found(3, level, message, "Set appendfsync always.")
    elif when == "everysec" and settings.production:
        message = "Redis confirms writes 2 s before they are on disk (appendfsync everysec)."
        hint = "Set appendfsync always: a kill on a slow disk, or a power failure, loses them."
        yield found(3, "warning", message, hint)
    elif settings.production and syncs.get("no-appendfsync-on-rewrite") == "yes":
        message = "Redis doesn't sync while it rewrites its file (no-appendfsync-on-rewrite yes)."
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
        yield found(5, "error", "This Redis is a replica: it refuses writes.", hint)
    if _mode(info) == "cluster" or info.get("cluster_enabled"):
        hint = "Use a single server, with or without replicas."
        yield found(6, "error", "This Redis is a cluster, which Celery doesn't support.", hint)


SERVER: Final[tuple[Check, ...]] = (_release, _role, _eviction, _persistence)
_BROKER: Final[tuple[Check, ...]] = (_release, _role, _eviction)


def sync_settings(client: Redis) -> Mapping[str, str]:
    """Read the settings of a server's fsync."""
    return _configured(client, "*appendfsync*")


def _configured(client: Redis, pattern: str) -> Mapping[str, str]:
    """Read a server's settings by name; none if it forbids CONFIG, as managed servers do."""
    try:
        found: Any = client.config_get(pattern)
    except RedisError:
        found = {}
    return dict(found)
