"""The settings that a producer needs; the workers read the same ones and more."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError
from marshmallow.validate import Range, Regexp

from satyapan.environment import (
    Secret,
    SettingFault,
    SettingsError,
    environment,
    read_section,
    setting,
)
from satyapan.sealing import KeyRing

REDIS_SCHEMES: Final = ("redis", "rediss", "unix")
_PLACE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_ID_KEY: Final = 32


def split_address(text: str) -> SplitResult:
    """Split the address of a setting; one that can't be read is refused and not repeated.

    A password with `/` or `#` in it ends the host early: its first part would be read as the port,
    and told as a wrong one by whoever connects.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        message = "can't be read as an address; a password's / is written %2F, its # %23."
        raise ValidationError(message) from None
    return parts


def _redis_url(text: str) -> None:
    """Refuse what isn't one plain Redis: Celery can't use a cluster, nor can our scripts."""
    scheme = split_address(text).scheme if "://" in text else ""
    if "cluster" in scheme:
        raise ValidationError("Redis Cluster is not supported: name a single server.")
    if scheme not in REDIS_SCHEMES:
        raise ValidationError("should start with redis://, rediss:// or unix://.")


def _ring(text: str) -> None:
    try:
        KeyRing.parse(text)
    except ValueError as error:  # names the part's number only
        raise ValidationError(f"{error}.") from None


def _id_key(text: str) -> None:
    try:
        good = len(base64.b64decode(text, validate=True)) >= _ID_KEY
    except (binascii.Error, ValueError):
        good = False
    if not good:
        raise ValidationError(f"should be base64 of at least {_ID_KEY} random bytes.")


def _places(places: list[str]) -> None:
    if not all(_PLACE.fullmatch(place) for place in places):
        raise ValidationError("should be module:ATTRIBUTE, several with commas.")


def _hosts(names: list[str]) -> None:
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValidationError("should be host names without scheme or path, split by commas.")


_NAME: Final = Regexp(r"\A[A-Za-z0-9._-]{1,64}\Z", error="should be 1 to 64 of A-Z a-z 0-9 . _ -.")
_POSITIVE: Final = Range(min=0, min_inclusive=False)


@dataclass(frozen=True, kw_only=True)
class ProducerSettings:
    """What submitting and reading needs. Made by `read_producer_settings`, or by hand in tests."""

    redis_url: str = field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # may hold a password
        metadata=setting(
            "REDIS_URL", "The ledger's Redis: redis://, rediss:// or unix://.", check=[_redis_url]
        ),
    )
    broker_url: str = field(
        default="",
        repr=False,
        metadata=setting(
            "BROKER_URL",
            "Celery's Redis; not set: the same as SATYAPAN_REDIS_URL.",
            check=[_redis_url],
        ),
    )
    prefix: str = field(
        default="satyapan",
        metadata=setting(
            "PREFIX", "What every Redis key starts with; one per installation.", check=[_NAME]
        ),
    )
    seal_keys: Secret = field(
        metadata=setting(
            "SEAL_KEYS",
            "Keys that seal private data: id:base64 of 32 random bytes; several with commas, "
            "the newest first.",
            check=[_ring],
        )
    )
    id_key: Secret = field(
        metadata=setting(
            "ID_KEY",
            "Key of derived ids and digests: base64 of 32 random bytes; each producer's own is "
            "derived from it. It must never change.",
            check=[_id_key],
        )
    )
    reply_to: str = field(
        default="default",
        metadata=setting(
            "REPLY_TO",
            "This producer's name: whose results stream gets the events. It is part of each "
            "derived id, so another name pays for everything again.",
            check=[_NAME],
        ),
    )
    kinds: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            "KINDS", "Further kinds: module:ATTRIBUTE, several with commas.", check=[_places]
        ),
    )
    return_hosts: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            "RETURN_HOSTS",
            "Hosts that a person may be sent on to after the return page (`return_url`), split by "
            "commas. The same for producers and callbacks.",
            check=[_hosts],
        ),
    )
    deadline_s: int = field(
        default=86_400,
        metadata=setting(
            "DEADLINE_S",
            "Seconds within which an accepted verification must have been sent.",
            check=[Range(min=60)],
        ),
    )
    visibility_timeout_s: int = field(
        default=180,
        metadata=setting(
            "VISIBILITY_TIMEOUT_S",
            "Seconds after which an unacknowledged wake-up is delivered again. The same in every "
            "process: the shortest one wins.",
            check=[Range(min=30)],
        ),
    )
    chunk: int = field(
        default=50,
        metadata=setting(
            "CHUNK",
            "Most verifications that one wake-up carries, of a bulk or of a sweep.",
            check=[Range(min=1, max=1000)],
        ),
    )
    redis_connect_timeout_s: float = field(
        default=2.0,
        metadata=setting(
            "REDIS_CONNECT_TIMEOUT_S",
            "Seconds to wait for a connection to Redis.",
            check=[_POSITIVE],
        ),
    )
    redis_read_timeout_s: float = field(
        default=5.0,
        metadata=setting(
            "REDIS_READ_TIMEOUT_S", "Seconds to wait for an answer of Redis.", check=[_POSITIVE]
        ),
    )

    def __post_init__(self) -> None:
        if not self.broker_url:
            object.__setattr__(self, "broker_url", self.redis_url)

    def id_key_bytes(self) -> bytes:
        """Decode the key of derived ids."""
        return base64.b64decode(self.id_key.reveal(), validate=True)

    def ring(self) -> KeyRing:
        """Build the key ring that seals and opens private bodies."""
        return KeyRing.parse(self.seal_keys.reveal())


def read_producer_settings(env: Mapping[str, str] | None = None) -> ProducerSettings:
    """Read a producer's settings from `env`, by default the process' environment.

    Raises:
        SettingsError: with every fault at once; no text repeats a value.
    """
    faults: list[SettingFault] = []
    settings = read_section(ProducerSettings, environment(env), faults)
    if faults:
        raise SettingsError(faults)
    return settings


__all__ = [
    "ProducerSettings",
    "Secret",
    "SettingFault",
    "SettingsError",
    "read_producer_settings",
    "split_address",
]
