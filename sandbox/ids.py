"""Identifiers that the vendor issues."""

import itertools
import secrets
from typing import Protocol


class Ids(Protocol):
    """Issues the vendor's identifiers; tests replace it to get known ones."""

    def reference_id(self) -> int:
        """Return a new reference id."""

    def code(self) -> str:
        """Return a new code for a consent page or a static link."""


class RandomIds:
    """Issues rising reference ids, and codes that can't be guessed."""

    def __init__(self) -> None:
        """Start at a reference id that can't be mistaken for an index."""
        self._references = itertools.count(100_001)

    def reference_id(self) -> int:
        """Return the next reference id."""
        return next(self._references)

    def code(self) -> str:
        """Return twelve hexadecimal characters."""
        return secrets.token_hex(6)
