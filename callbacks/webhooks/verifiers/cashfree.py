"""Cashfree's webhook signature in a header.

`x-webhook-signature` is the base64 of HMAC-SHA256 over `x-webhook-timestamp` and the raw body,
without a separator. Therefore the timestamp must have a fixed length and the body a fixed first
byte: otherwise digits could move from one to the other under the same signature. The key is the
client secret of the account's oldest active key pair; during a rotation that may be any of several,
so all are tried.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from callbacks.webhooks.verifiers import BadSignature, require_signature

SIGNATURE: Final = "x-webhook-signature"
TIMESTAMP: Final = "x-webhook-timestamp"
_MILLISECONDS: Final = re.compile(rb"[0-9]{13}")


class CashfreeVerifier:
    """Checks signatures against several secrets.

    Timestamps that differ from `clock` (seconds since the epoch) by more than `tolerance_s` are
    refused; 0 accepts any, because the vendor may repeat a delivery with its first timestamp.
    """

    def __init__(
        self, secrets: Sequence[str], tolerance_s: float, clock: Callable[[], float]
    ) -> None:
        # Anybody can sign with an empty key.
        self._keys = [secret.encode() for secret in secrets if secret]
        self._tolerance_ms = tolerance_s * 1000
        self._clock = clock

    def verify(self, body: bytes, headers: Iterable[tuple[str, str]]) -> int:
        """Return when (ms) the body was signed with one of the secrets; else raise BadSignature."""
        pairs = [(name.lower(), value) for name, value in headers]
        signature = _only(pairs, SIGNATURE, "signature")
        timestamp = _only(pairs, TIMESTAMP, "timestamp")
        if not _MILLISECONDS.fullmatch(timestamp):
            raise BadSignature("timestamp_malformed")
        if not body.startswith(b"{"):
            raise BadSignature("body_malformed")
        require_signature(self._keys, timestamp + body, signature)
        self._check_age(int(timestamp))
        return int(timestamp)

    def _check_age(self, timestamp_ms: int) -> None:
        age = self._clock() * 1000 - timestamp_ms
        if self._tolerance_ms and abs(age) > self._tolerance_ms:
            raise BadSignature("timestamp_stale" if age > 0 else "timestamp_future")


def _only(pairs: list[tuple[str, str]], name: str, what: str) -> bytes:
    """Return the single value of a header, which must be ASCII."""
    values = [value for each, value in pairs if each == name]
    if len(values) != 1:
        raise BadSignature(f"{what}_repeated" if values else f"{what}_missing")
    if not values[0].isascii():
        raise BadSignature(f"{what}_malformed")
    return values[0].encode("ascii")
