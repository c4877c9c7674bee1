"""Logs by allow-list: only the fields that are named here reach a log.

Our own code logs an event and fields (`log.info("claimed", extra={"id": ...})`). Lines of libraries
keep their templates, without the texts that they would fill in. In JSON a process writes nothing
else: what a library prints is replaced by a line with its length.
"""

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from traceback import extract_tb
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from celery.signals import setup_logging

from config.aadhaar import mask_for_log, mask_number
from config.findings import UnsafeStart, only_away
from config.streams import log_what_is_printed, log_what_python_prints, place, real
from satyapan.cli.errors import UNAVAILABLE, exit_code
from satyapan.errors import SatyapanError, causes

FIELDS: Final = frozenset(
    [
        "account",
        "attempt",
        "by_ms",
        "code",
        "digest",
        "error",
        "error_text",
        "event",
        "fence",
        "frames",
        "http",
        "id",
        "kind",
        "level",
        "logger",
        "queue",
        "route",
        "size",
        "status",
        "timestamp",
        "vendor",
        "webhook_id",
    ]
)
"""The fields that may be logged. None of them holds data of a person or a text of the vendor."""

OURS: Final = frozenset({"satyapan", "config", "shared", "worker", "callbacks", "demo", "sandbox"})
_FLOORS: Final = {
    "celery": logging.INFO,  # DEBUG prints messages
    # Its INFO lines per task (received, succeeded) cost twice as much as our own one.
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "kombu": logging.INFO,
    "amqp": logging.WARNING,
    "redis": logging.WARNING,
    "urllib3": logging.WARNING,  # DEBUG prints addresses with their queries
    "werkzeug": logging.WARNING,  # INFO prints paths, which contain return tokens
    "gunicorn.error": logging.INFO,
    "gunicorn.access": logging.WARNING,
    "asyncio": logging.WARNING,
}
_CELERY_KEYS: Final = frozenset({"id", "name"})
_LONGEST: Final = 300
_MOST: Final = 50

Line = MutableMapping[str, Any]


def configure_logs(level: str = "INFO", fmt: str = "json", stream: TextIO | None = None) -> None:
    """Send every logger of the process through the allow-list to `stream` (standard error).

    Call it before a worker is started: Celery then doesn't set up its own logging.
    """
    out = real(sys.stderr) if stream is None else stream
    # Celery sets up its own logging unless this signal has a receiver.
    setup_logging.connect(lambda **_: None, weak=False, dispatch_uid=__name__)
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(fmt, colors=out.isatty()))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, floor in _FLOORS.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(floor, logging.getLogger().level))
    # Otherwise a line that can't be written would be printed in full.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    log_what_python_prints()
    if fmt == "json" and stream is None:
        log_what_is_printed()


@contextmanager
def log_fatal_errors() -> Iterator[None]:
    """Log an error of ours that ends the process, line by line, and exit with its code.

    The command line would only print it, and in JSON mode printed texts don't reach the log.
    """
    try:
        yield
    except SatyapanError as error:
        for line in str(error).splitlines():
            logging.getLogger("config").critical("%s", line.strip())
        away = isinstance(error, UnsafeStart) and only_away(error.findings)
        raise SystemExit(UNAVAILABLE if away else exit_code(error)) from None


def _formatter(fmt: str, *, colors: bool) -> logging.Formatter:
    console = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=24)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _format_event],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _describe_exception,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            keep_allowed,
            structlog.processors.JSONRenderer() if fmt == "json" else console,
        ],
        # Lines arrive as template and arguments, so that arguments of libraries can be hidden.
        use_get_message=False,
        pass_foreign_args=True,
    )


def keep_allowed(_logger: object, _method: str, line: Line) -> Line:
    """Keep the allowed fields, with Aadhaar numbers masked, and count the dropped ones."""
    kept = {key: _plain(value) for key, value in line.items() if key in FIELDS}
    kept = {key: value for key, value in kept.items() if value is not None}
    if dropped := len(line) - len(kept):
        kept["dropped"] = dropped
    return kept


def _plain(value: object) -> object:
    """Return a value as it may be logged; None for a type that may not."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return mask_number(value)
    if isinstance(value, str):
        return mask_for_log(value)[:_LONGEST]
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in list(value)[:_MOST]]
    return None


def _format_event(_logger: logging.Logger, _method: str, line: Line) -> Line:
    """Fill in the arguments of a line, of a library's line only those that are harmless."""
    record: logging.LogRecord = line["_record"]
    args = line.pop("positional_args", None) or record.args or ()
    trusted = record.name.partition(".")[0] in OURS
    if isinstance(record.msg, BaseException):
        line["event"] = type(record.msg).__name__
    elif args:
        line["event"] = _filled(str(record.msg), args if trusted else _guarded(args))
    return line


def _filled(template: str, args: object) -> str:
    try:
        return template % args
    except (TypeError, ValueError, KeyError):
        return template


def _guarded(args: object) -> object:
    if isinstance(args, Mapping):
        return {key: value if key in _CELERY_KEYS else _guard(value) for key, value in args.items()}
    return tuple(_guard(arg) for arg in args) if isinstance(args, tuple) else _guard(args)


def _guard(value: object) -> object:
    """Keep numbers and Celery's node names, replace exceptions by their type, hide the rest."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str) and value.startswith("celery@"):
        return value
    return _Hidden(type(value).__name__ if isinstance(value, BaseException) else "*")


class _Hidden:
    """Is formatted as a fixed word."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __repr__(self) -> str:
        return self._word


def _describe_exception(_logger: object, _method: str, line: Line) -> Line:
    """Replace an exception by its type and its stack's lines, without text and locals.

    The texts of our own errors are kept: they contain ids and codes only.
    """
    info = line.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line["error"] = " < ".join(type(each).__name__ for each in causes(error))
        line["frames"] = _frames(error)
        if isinstance(error, SatyapanError):
            line["error_text"] = str(error)
    return line


def _frames(error: BaseException) -> list[str]:
    frames = extract_tb(error.__traceback__)
    return [f"{place(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames[-_MOST:]]


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("config").critical("uncaught", exc_info=(kind, error, traceback))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
