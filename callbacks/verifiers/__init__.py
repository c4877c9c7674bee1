"""Who may speak to us as a vendor: one module for each vendor's way of signing webhooks."""

from collections.abc import Iterable
from typing import Protocol


class BadSignature(Exception):
    """The webhook isn't proven to be the vendor's. `code` says why, in words fit for a log."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Verifier(Protocol):
    """Proves that a webhook comes from the vendor."""

    def verify(self, body: bytes, headers: Iterable[tuple[str, str]]) -> int | None:
        """Return if the bytes are the vendor's: when they were signed (ms), None if that is unsaid.

        Raises:
            BadSignature: whatever is wrong; no input brings about any other error.
        """
