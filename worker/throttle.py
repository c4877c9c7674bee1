"""A throttle: do something at most once in a number of seconds."""

from typing import Final

_NEVER: Final = float("-inf")


class Throttle:
    """Says when something may be done again. The caller passes the time (s, monotonic)."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last = _NEVER

    def ready(self, now: float) -> bool:
        """Return True if it was never done, or was done long enough ago."""
        return now - self._last >= self._every_s

    def done(self, now: float) -> None:
        """Note that it is done now."""
        self._last = now

    def since(self, now: float) -> float:
        """Return the seconds since it was last done, or 0 if it never was."""
        return 0 if self._last == _NEVER else now - self._last
