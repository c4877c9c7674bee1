"""Turns what Python and libraries print into log lines.

None of these lines repeats a text: it was written by others and may hold anything.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import Final, TextIO

log: Final = logging.getLogger("config.streams")


def log_what_python_prints() -> None:
    """Log warnings, and exceptions that nothing can catch, by their type and place."""
    warnings.showwarning = _warned
    sys.unraisablehook = _unraisable


def log_what_is_printed() -> None:
    """Replace standard output and error of this process; call it once the log has its stream."""
    sys.stdout = sys.__stdout__ = _Printed(real(sys.stdout))  # type: ignore[assignment,misc]
    sys.stderr = sys.__stderr__ = _Printed(real(sys.stderr))  # type: ignore[assignment,misc]


def give_back() -> None:
    """Give Python the streams of its start back, for a program that replaces this one.

    Celery's restart (SIGHUP) closes every file but these, which it knows by their `fileno`.
    """
    sys.__stdout__ = real(sys.stdout)  # type: ignore[assignment,misc]
    sys.__stderr__ = real(sys.stderr)  # type: ignore[assignment,misc]


def real(stream: TextIO) -> TextIO:
    """Return the stream from before `log_what_is_printed`, also in a forked process."""
    return stream.stream if isinstance(stream, _Printed) else stream


def place(filename: str) -> str:
    """Shorten a file's path to its last two parts: enough to find it, and no machine's layout."""
    return "/".join(Path(filename).parts[-2:])


def _warned(
    message: Warning | str,  # noqa: ARG001  the names are Python's
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    log.warning("%s at %s:%d", category.__name__, place(filename), lineno)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    log.error("uncaught where nothing can be raised", exc_info=unraisable.exc_value)


class _Printed:
    """Logs that something was printed, and how much.

    It has no `fileno`, by which Celery's signal handlers know that nothing can be written here.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Log each text that is more than an end of line."""
        if text.strip():
            log.info("a library printed %d characters", len(text))
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line was written when it came."""

    def isatty(self) -> bool:
        """Return False: nobody sees colours here."""
        return False
