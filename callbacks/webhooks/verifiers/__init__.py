"""Verify that a webhook comes from the vendor: one module for each way of signing."""

from collections.abc import Iterable
from typing import Protocol


class BadSignature(Exception):
    """The webhook isn't proven to be the vendor's. `code` says why, and may be logged."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Verifier(Protocol):
    """Proves that a webhook comes from the vendor."""

    def verify(self, body: bytes, headers: Iterable[tuple[str, str]]) -> int | None:
        """Return when the webhook was signed (ms), or None if the signature covers no time.

        Raises:
            BadSignature: it isn't proven to be the vendor's; no input raises any other error.
        """
