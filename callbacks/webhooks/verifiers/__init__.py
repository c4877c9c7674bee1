"""Verify that a webhook comes from the vendor: one module for each way of signing."""

import base64
import hmac
from collections.abc import Iterable
from typing import Protocol


class BadSignature(Exception):
    """The webhook isn't proven to be the vendor's. `code` says why, and may be logged."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def require_signature(keys: Iterable[bytes], signed: bytes, signature: bytes) -> None:
    """Raise BadSignature unless one of the keys gives this signature (base64 of HMAC-SHA256).

    Every key is tried, so that the duration doesn't tell which one fits. Texts are compared, which
    avoids decoding what a stranger sent.
    """
    made = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    fits = [hmac.compare_digest(each, signature) for each in made]
    if not any(fits):
        raise BadSignature("signature_mismatch")


class Verifier(Protocol):
    """Proves that a webhook comes from the vendor."""

    def verify(self, body: bytes, headers: Iterable[tuple[str, str]]) -> int | None:
        """Return when the webhook was signed (ms), or None if the signature covers no time.

        Raises:
            BadSignature: it isn't proven to be the vendor's; no input raises any other error.
        """
