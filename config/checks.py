"""Start-up checks: are the servers and accounts that the settings name safe to use?

Wrong settings don't get here: `read_settings` refuses them.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from config.brand import read_brand
from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED, Shut, read_breakers
from config.findings import Finding, Level, found, redacted
from config.reference import names
from config.servers import SERVER, Check, Info, check_broker, forbidden, judge, unreachable
from config.settings import Settings
from config.validators import is_loopback, is_public, route_names
from satyapan.canonical import digest
from satyapan.errors import Unreadable
from satyapan.kinds import Registry
from satyapan.names import Keys
from satyapan.records import ACCOUNT, State
from satyapan.redis.server_time import now_ms
from satyapan.settings.declaration import PREFIX, SettingsError

_SKEW_S: Final = 30
_FULL: Final = 0.8
_ALIKE: Final = 0.9
_LATE_MINUTES: Final = 30
"""Three times the least time between two rewrites."""


def run_checks(
    settings: Settings, client: Redis, now: Callable[[], float] = time.time
) -> list[Finding]:
    """Check settings and the servers that they name, in a few round trips.

    The first run on an empty ledger stores a sealed mark, by which later runs recognise the keys.
    """
    return [*_quota(settings), *_run(settings, client, now, (*_SAFETY, *_ADVICE))]


def start_checks(settings: Settings, client: Redis) -> list[Finding]:
    """Check only what can make a start unsafe; it loads no kind."""
    return _run(settings, client, time.time, _SAFETY)


def _run(
    settings: Settings, client: Redis, now: Callable[[], float], checks: Sequence[Check]
) -> list[Finding]:
    return [
        *_account(settings),
        *_public(settings),
        *_ledger(settings, client, now, checks),
        *check_broker(settings),
    ]


def unknown_variables(env: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables that look like misspelt settings, which would be ignored silently."""
    known = {name for each in names() for name in (each, f"{each}_FILE")}
    for name in sorted(env):
        near = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if name.startswith(PREFIX) and name not in known and near:
            yield found(19, "warning", f"{name} is not a setting.", f"Did you mean {near[0]}?")


def _account(settings: Settings) -> Iterator[Finding]:
    vendor = settings.vendor
    if not (vendor.client_id and vendor.client_secret):
        hint = f"Set {PREFIX}CASHFREE_CLIENT_ID and {PREFIX}CASHFREE_CLIENT_SECRET."
        yield found(13, "error", "The vendor's client id or secret is not set.", hint)
    host = urlsplit(vendor.base_url).hostname or ""
    testing = host.startswith("sandbox.") or is_loopback(vendor.base_url)
    if settings.production and testing:
        hint = f"Set {PREFIX}CASHFREE_BASE_URL to the vendor's production address."
        yield found(14, "error", "Production uses a sandbox of the vendor.", hint)
    if not settings.production and host == "api.cashfree.com":
        hint = f"Set {PREFIX}ENVIRONMENT to production, or use the vendor's sandbox."
        yield found(14, "warning", "Development would make the vendor's paid calls.", hint)
    if settings.production and not vendor.public_key:
        hint = f"Set {PREFIX}CASHFREE_PUBLIC_KEY, or add every worker's address to the allow-list."
        yield found(
            18, "warning", "Calls are not signed: the vendor checks an IP allow-list.", hint
        )


def _public(settings: Settings) -> Iterator[Finding]:
    url = settings.callbacks.public_url
    if not url:
        hint = f"Set {PREFIX}CALLBACKS_PUBLIC_URL if you use DigiLocker or KYC links."
        yield found(12, "warning", "There is no public address for browsers and webhooks.", hint)
    elif not is_public(url) and (settings.production or is_public(settings.vendor.base_url)):
        level: Level = "error" if settings.production else "warning"
        hint = f"Set {PREFIX}CALLBACKS_PUBLIC_URL to an https:// address with a public host name."
        yield found(12, level, "The vendor will refuse the public address.", hint)
    callbacks = settings.callbacks
    yield from _brand(settings)
    # The web app has no TLS: if browsers use https, there is a proxy in front.
    hidden = url.startswith("https://") and not callbacks.proxies
    if hidden and (callbacks.refusals_per_minute or callbacks.vendor_addresses):
        hint = (
            f"Set {PREFIX}CALLBACKS_PROXIES to the number of proxies that add to X-Forwarded-For."
        )
        yield found(
            22, "warning", "Behind a proxy all webhooks seem to come from one sender.", hint
        )


def _brand(settings: Settings) -> Iterator[Finding]:
    try:
        brand = read_brand(settings.callbacks)
    except SettingsError as error:
        name, message = error.faults[0]
        text = f"{name}: {message}"
        yield found(24, "warning", text, "`satyapan callbacks` refuses to start with it.")
        return
    if settings.production and settings.callbacks.public_url and not brand.name:
        hint = f"Set {PREFIX}CALLBACKS_BRAND_NAME: people should see who asked for their documents."
        yield found(24, "warning", "The return page is anonymous.", hint)


def _quota(settings: Settings) -> Iterator[Finding]:
    for route in Registry.with_plugins(settings.producer.kinds).routes():
        if settings.quota.per_minute.get(route.name, 0) > route.per_minute:
            usual = f"The vendor's usual limit for {route.name} is {route.per_minute}"
            hint = f"Keep it in {PREFIX}QUOTA_PER_MINUTE only if the vendor raised yours."
            yield found(15, "warning", f"{usual} a minute; your setting is higher.", hint)


def _ledger(
    settings: Settings, client: Redis, now: Callable[[], float], checks: Sequence[Check]
) -> list[Finding]:
    place = redacted(settings.producer.redis_url)
    try:
        return judge(settings, client, client.info(), (partial(_clock, now), *checks))
    except ResponseError as error:
        return [forbidden(place, error)]
    except RedisError as error:
        return [unreachable(1, place, error)]


def _clock(
    now: Callable[[], float], settings: Settings, client: Redis, _info: Info
) -> Iterator[Finding]:
    before = now()
    seconds = now_ms(client) // 1000
    skew = max(before - seconds - 1, seconds - now())
    if skew > _SKEW_S:
        place = redacted(settings.producer.redis_url)
        hint = "Run a time service on both: signatures for the vendor are valid for five minutes."
        yield found(16, "warning", f"This clock and {place} are {skew:.0f} s apart.", hint)


def _memory(_settings: Settings, _client: Redis, info: Info) -> Iterator[Finding]:
    limit, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    if limit and used > limit * _FULL:
        message = f"Redis' memory is {100 * used // limit} % full: submissions will be refused."
        yield found(7, "warning", message, "Raise maxmemory, or shorten the retention settings.")


def _same_keys(settings: Settings, client: Redis, info: Info) -> Iterator[Finding]:
    """Compare the keys with those used before; with another id key everything is paid for again."""
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
        hint = f"Add the old key after the new one in {PREFIX}SEAL_KEYS."
        yield found(11, "error", "The seal keys don't open what is stored here.", hint)
    except RedisError as error:
        yield found(10, "error", f"Redis refuses writes ({type(error).__name__}).", "See its log.")
    else:
        if not same:
            hint = f"Set {PREFIX}ID_KEY to the old key: other ids would be paid for again."
            yield found(11, "error", "The id key is not the one that was used here before.", hint)


def _breakers(settings: Settings, client: Redis, _info: Info) -> Iterator[Finding]:
    """Report open breakers; they close by themselves when the vendor works again."""
    keys, account = Keys(settings.producer.prefix), ACCOUNT
    names = sorted(route_names(Registry.with_plugins(settings.producer.kinds)))
    places = [keys.stop(account), *(keys.breaker(account, name) for name in names)]
    stop, *held = read_breakers(client, places)
    if stop:
        hint = "See the vendor's dashboard: credentials, address list, balance."
        text = f"The vendor refuses account {account} ({stop.code}, since {stop.since})."
        yield found(20, "warning", text, hint)
    for name, shut in zip(names, held, strict=True):
        if shut:
            yield _held_route(name, shut)


def _held_route(name: str, shut: Shut) -> Finding:
    """Report an open breaker of a route, by what has to be done about it."""
    if shut.code == PUBLIC_URL_REFUSED:
        hint = f"Correct {PREFIX}CALLBACKS_PUBLIC_URL and restart the workers; nothing is lost."
        text = f"The vendor refuses our public address at {name} (since {shut.since})."
        return found(25, "warning", text, hint)
    if shut.code == NOT_ENABLED:
        hint = (
            "Enable the product on the vendor's dashboard; nothing is lost. If no route works, "
            f"correct the path in {PREFIX}CASHFREE_BASE_URL (the vendor's ends in /verification)."
        )
        text = f"The vendor has not enabled {name} for this account (since {shut.since})."
        return found(27, "warning", text, hint)
    hint = "Nothing is lost: workers probe it. Ask the vendor if this lasts."
    text = f"Calls to {name} fail at the vendor ({shut.code}, since {shut.since})."
    return found(21, "warning", text, hint)


def _rewrite(settings: Settings, client: Redis, _info: Info) -> Iterator[Finding]:
    """Report forgotten data that stays in the append-only file for too long."""
    wanted = Keys(settings.producer.prefix).rewrite_wanted
    oldest: Any = client.zrange(wanted, 0, 0, withscores=True)
    if oldest and (minutes := int(now_ms(client) - oldest[0][1]) // 60_000) >= _LATE_MINUTES:
        text = f"Data forgotten {minutes} minutes ago is still in Redis' append-only file."
        hint = "Allow the workers' user +bgrewriteaof, and start a worker; see Redis' log."
        yield found(23, "warning", text, hint)


def _parked(settings: Settings, client: Redis, _info: Info) -> Iterator[Finding]:
    """Report verifications that have been parked for half of the longest time."""
    now, most = now_ms(client), settings.retention.parked_s * 1000
    index = Keys(settings.producer.prefix).index(State.PARKED)
    count: Any = client.zcount(index, "-inf", now - most // 2)
    oldest: Any = client.zrange(index, 0, 0, withscores=True)
    if count:
        left = max(0, int(oldest[0][1] + most - now)) // 86_400_000
        text = f"Parked verifications wait for a decision ({count}); the first ends in {left} days."
        hint = "Decide about them (satyapan list --state PARKED); at the end their data is deleted."
        yield found(26, "warning", text, hint)


_SAFETY: Final = (*SERVER, _same_keys)
_ADVICE: Final = (_memory, _breakers, _rewrite, _parked)
