"""The settings of a producer; the application's processes read the same ones and more."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError
from marshmallow.validate import Range, Regexp

from satyapan.sealing import KeyRing
from satyapan.settings.declaration import (
    POSITIVE,
    REQUIRED,
    Secret,
    SettingFault,
    SettingsError,
    read_section,
    setting,
)

REDIS_SCHEMES: Final = ("redis", "rediss", "unix")
CHECK_DIGITS: Final = ("warn", "refuse", "ignore")
_PLACE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_ID_KEY_BYTES: Final = 32


def split_address(text: str) -> SplitResult:
    """Split an address; raise ValidationError, without the text, if it can't be read.

    A `/` or `#` in a password ends the host early. Then part of the password would be read as the
    port, and be printed by the library that connects.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        message = "can't be read as an address; in a password write / as %2F and # as %23."
        raise ValidationError(message) from None
    return parts


def _redis_url(text: str) -> None:
    """Accept a single Redis server; neither Celery nor our scripts work on a cluster."""
    scheme = split_address(text).scheme if "://" in text else ""
    if "cluster" in scheme:
        raise ValidationError("Redis Cluster is not supported: name a single server.")
    if scheme not in REDIS_SCHEMES:
        raise ValidationError("should start with redis://, rediss:// or unix://.")


def _key_ring(text: str) -> None:
    try:
        KeyRing.parse(text)
    except ValueError as error:  # names the part's number only
        raise ValidationError(f"{error}.") from None


def _id_key(text: str) -> None:
    try:
        good = len(base64.b64decode(text, validate=True)) >= _ID_KEY_BYTES
    except (binascii.Error, ValueError):
        good = False
    if not good:
        raise ValidationError(f"should be base64 of at least {_ID_KEY_BYTES} random bytes.")


def _places(places: list[str]) -> None:
    if not all(_PLACE.fullmatch(place) for place in places):
        raise ValidationError("should be module:ATTRIBUTE, separated by commas.")


def _hosts(names: list[str]) -> None:
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValidationError("should be host names without scheme or path, separated by commas.")


def _check_digits(words: Mapping[str, str]) -> None:
    if not set(words.values()) <= set(CHECK_DIGITS):
        raise ValidationError(f"each should be one of {', '.join(CHECK_DIGITS)}.")


_NAME: Final = Regexp(r"\A[A-Za-z0-9._-]{1,64}\Z", error="should be 1 to 64 of A-Z a-z 0-9 . _ -.")


@dataclass(frozen=True, kw_only=True)
class ProducerSettings:
    """What submitting and reading needs. Read by `read_producer_settings`, or built in tests."""

    redis_url: str = setting(
        "redis://127.0.0.1:6379/0",
        "The ledger's Redis: redis://, rediss:// or unix://.",
        _redis_url,
        show=False,  # may hold a password
    )
    broker_url: str = setting(
        "", "Celery's Redis; not set: SATYAPAN_REDIS_URL.", _redis_url, show=False
    )
    prefix: str = setting("satyapan", "Prefix of every Redis key; one per installation.", _NAME)
    seal_keys: Secret = setting(
        REQUIRED,
        "Keys that seal private data: id:base64 of 32 random bytes, separated by commas, the "
        "newest first.",
        _key_ring,
    )
    id_key: Secret = setting(
        REQUIRED,
        "Key of derived ids and digests: base64 of 32 random bytes. Each producer's own key is "
        "derived from it. It must never change.",
        _id_key,
    )
    reply_to: str = setting(
        "default",
        "This producer's name, which names its results stream. It is part of every derived id: "
        "after a change, the same requests are paid for again.",
        _NAME,
    )
    kinds: tuple[str, ...] = setting(
        (), "Further kinds: module:ATTRIBUTE, separated by commas.", _places
    )
    return_hosts: tuple[str, ...] = setting(
        (),
        "Hosts that `return_url` may name, separated by commas: the return page sends people on to "
        "them. The same for producers and callbacks.",
        _hosts,
    )
    check_digits: Mapping[str, str] = setting(
        MappingProxyType({}),
        "What `submit` does by kind with a number whose check digit is wrong, as in gstin=refuse: "
        "warn (in the log; the default), refuse or ignore. The vendor would be paid for saying "
        "that there is no such number.",
        _check_digits,
    )
    deadline_s: int = setting(
        86_400, "Seconds within which an accepted verification must have been sent.", Range(min=60)
    )
    visibility_timeout_s: int = setting(
        180,
        "Seconds after which an unacknowledged wake-up is delivered again. The same in every "
        "process: the shortest one applies to all.",
        Range(min=30),
    )
    chunk: int = setting(
        50,
        "Most verifications in one wake-up, of a bulk or of a sweep.",
        Range(1, 1000),
    )
    redis_connect_timeout_s: float = setting(
        2.0, "Seconds to wait for a connection to Redis.", POSITIVE
    )
    redis_read_timeout_s: float = setting(5.0, "Seconds to wait for a reply of Redis.", POSITIVE)

    def __post_init__(self) -> None:
        if not self.broker_url:
            object.__setattr__(self, "broker_url", self.redis_url)

    def id_key_bytes(self) -> bytes:
        """Decode the key of derived ids."""
        return base64.b64decode(self.id_key.reveal(), validate=True)

    def ring(self) -> KeyRing:
        """Build the key ring that seals and opens private data."""
        return KeyRing.parse(self.seal_keys.reveal())


def read_producer_settings(env: Mapping[str, str] | None = None) -> ProducerSettings:
    """Read a producer's settings from `env`, by default the process' environment.

    Raises:
        SettingsError: it holds every fault; no text repeats a value.
    """
    faults: list[SettingFault] = []
    given = os.environ if env is None else env
    settings = read_section(ProducerSettings, given, faults)
    if faults:
        raise SettingsError(faults)
    return settings
