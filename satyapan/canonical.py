"""One way to write JSON, so that equal requests have equal bytes and equal digests."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: object) -> bytes:
    """Write JSON with sorted keys and no spaces, as UTF-8.

    Raises:
        TypeError, ValueError: the value is not JSON (NaN, bytes, objects).
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest(key: bytes, *parts: bytes) -> str:
    """Make a keyed digest (hex) of the parts; without the key it reveals nothing of them."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.hexdigest()


def request_digest(key: bytes, kind: str, request: Mapping[str, Any]) -> str:
    """Name a request: same key, kind and data give the same digest, nothing else does."""
    return digest(key, b"request", kind.encode(), canonical(request))
