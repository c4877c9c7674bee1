"""Replace what Python and libraries print by log lines.

No line repeats a printed text: it may contain private data.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import Final, TextIO

log: Final = logging.getLogger("config.streams")


def log_what_python_prints() -> None:
    """Log warnings, and exceptions that can't be raised, by their type and place."""
    warnings.showwarning = _warned  # type: ignore[assignment] # called by position
    sys.unraisablehook = _unraisable


def log_what_is_printed() -> None:
    """Replace standard output and error; call it after the log has got its stream."""
    sys.stdout = sys.__stdout__ = _Printed(real(sys.stdout))  # type: ignore[assignment,misc]
    sys.stderr = sys.__stderr__ = _Printed(real(sys.stderr))  # type: ignore[assignment,misc]


def restore_streams() -> None:
    """Restore the original streams, for a program that replaces this one.

    Celery's restart (SIGHUP) closes every file except those of `sys.__stdout__` and
    `sys.__stderr__`, which must have a `fileno` for that.
    """
    sys.__stdout__ = real(sys.stdout)  # type: ignore[assignment,misc]
    sys.__stderr__ = real(sys.stderr)  # type: ignore[assignment,misc]


def real(stream: TextIO) -> TextIO:
    """Return the stream from before `log_what_is_printed`, also in a forked process."""
    return stream.stream if isinstance(stream, _Printed) else stream


def place(filename: str) -> str:
    """Return the last two parts of a file's path."""
    return "/".join(Path(filename).parts[-2:])


def _warned(
    _message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    log.warning("%s at %s:%d", category.__name__, place(filename), lineno)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    log.error("uncaught where nothing can be raised", exc_info=unraisable.exc_value)


class _Printed:
    """Logs how many characters were printed.

    Without a `fileno`, Celery's signal handlers don't write to it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Log the length of a text, unless it is only a line end."""
        if text.strip():
            log.info("a library printed %d characters", len(text))
        return len(text)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def isatty(self) -> bool:
        """Return False: no colours."""
        return False
