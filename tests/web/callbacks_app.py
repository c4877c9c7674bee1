"""The callbacks app's settings, signed webhooks, stored rows and wake-ups, for tests.

The signature is HMAC-SHA256 implemented from RFC 2104, so that it shares no code with ours.
"""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import redis

from satyapan.ledger.ledger import Ledger
from satyapan.names import Keys
from satyapan.records import Row, State
from satyapan.sealing import KeyRing, new_key
from satyapan.settings.producer import ProducerSettings
from shared.inbox.inbox import Inbox

SECRET = "the-client-secret"
TOKEN_KEY = "a-token-key-of-at-least-32-characters"
SEAL_KEYS = new_key()
ID_KEY = bytes(32)
EVENT = {
    "event_type": "DIGILOCKER_VERIFICATION_SUCCESS",
    "event_time": datetime.now(UTC).isoformat("T", "seconds"),
    "version": "v1",
    "data": {
        "user_details": {"name": "Canary Person", "mobile": "9000000000"},
        "status": "AUTHENTICATED",
        "verification_id": "dl-1",
        "reference_id": 77,
    },
}


def environment(redis_url: str, **more: str) -> dict[str, str]:
    """Return the app's variables; the names in `more` lack the common prefix."""
    variables = {
        "REDIS_URL": redis_url,
        "SEAL_KEYS": SEAL_KEYS,
        "ID_KEY": base64.b64encode(ID_KEY).decode(),
        "CASHFREE_CLIENT_SECRET": SECRET,
        "CALLBACKS_PUBLIC_URL": "https://callbacks.example",
        "CALLBACKS_TOKEN_KEYS": TOKEN_KEY,
        "RETURN_HOSTS": "shop.example",
        "CALLBACKS_MAX_WEBHOOK_BYTES": "65536",
        "CALLBACKS_OPS_BIND": "public",
        **more,
    }
    return {f"SATYAPAN_{name}": value for name, value in variables.items()}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Sign as the vendor does: base64 of HMAC-SHA256 over timestamp and body."""
    key = secret.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + timestamp.encode() + body)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner.digest())
    return base64.b64encode(outer.digest()).decode()


def now_ms() -> int:
    """Return milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def signed(body: bytes, *, secret: str = SECRET, timestamp: str = "") -> dict[str, str]:
    """Return the headers of a delivery, signed now or at `timestamp`."""
    timestamp = timestamp or str(now_ms())
    return {
        "content-type": "application/json",
        "x-webhook-attempt": "1",
        "x-webhook-signature": sign(secret, timestamp, body),
        "x-webhook-timestamp": timestamp,
    }


def stored_inbox(redis_url: str, life_ms: int = 60_000) -> Inbox:
    """Return an inbox like that of the workers."""
    return Inbox(redis.Redis.from_url(redis_url), Keys(), KeyRing.parse(SEAL_KEYS), life_ms, ID_KEY)


def written(event: Mapping[str, Any]) -> bytes:
    """Return an event as the vendor sends it."""
    return json.dumps(event).encode()


def wakeups(redis_url: str) -> list[tuple[str, list[str]]]:
    """Return the wake-ups in the broker's queue, oldest first: task and ids."""
    with redis.Redis.from_url(redis_url) as client:
        raw: Any = client.lrange("satyapan:broker:satyapan.follow", 0, -1)
    messages = [json.loads(each) for each in reversed(raw)]
    return [(m["headers"]["task"], json.loads(base64.b64decode(m["body"]))[0][0]) for m in messages]


def insert(
    redis_url: str, state: State = State.PENDING, *, reason: str = "", **request: str
) -> Row:
    """Insert a DigiLocker verification into the ledger."""
    row = Row(id="dl-1", kind="digilocker", state=state, digest="d", request=request)
    row = replace(row, reason=reason)
    with redis.Redis.from_url(redis_url) as client:
        Ledger(client, Keys(), KeyRing.parse(SEAL_KEYS)).insert(row, life_ms=60_000)
    return row


def asked_ago(redis_url: str, minutes: int) -> None:
    """Set the time of the first requested status check of `dl-1` to `minutes` ago."""
    with redis.Redis.from_url(redis_url) as client:
        seconds, micros = client.time()
        now_ms = seconds * 1000 + micros // 1000
        client.hset("satyapan:row:dl-1", "asked", str(now_ms - minutes * 60_000))


def everything(redis_url: str, settings: ProducerSettings) -> dict[bytes, bytes]:
    """Copy the whole server, except the broker's keys and the marks of status checks."""
    passing = (f"{settings.prefix}:broker:".encode(), f"{settings.prefix}:status-check:".encode())
    with redis.Redis.from_url(redis_url) as client:
        names: Any = client.keys("*")
        kept = [name for name in names if not name.startswith(passing) and b"_kombu" not in name]
        dumped: Any = {name: client.dump(name) for name in kept}
    return dict(dumped)
