"""The sandbox's time: the caller's clock plus what the control routes added to it."""

from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """A clock that can be moved forward, but not back."""

    def __init__(self, base: Callable[[], float]) -> None:
        """Use ``base``, a callable that returns Unix seconds."""
        self._base = base
        self._offset = 0.0

    def steady(self) -> float:
        """Return Unix seconds without the offset: for quotas and webhook headers."""
        return self._base()

    def now(self) -> float:
        """Return Unix seconds with the offset: for everything that expires."""
        return self._base() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``."""
        if seconds < 0:
            raise ValueError("the clock can't go back: advance_s must be 0 or more")
        self._offset += seconds

    def reset(self) -> None:
        """Drop the offset."""
        self._offset = 0.0


def iso(seconds: float) -> str:
    """Return Unix seconds in the format of the vendor's newer webhooks: ISO 8601, UTC, Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
