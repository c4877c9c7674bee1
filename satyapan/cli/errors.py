"""Exit codes of the command line, and errors as one line or one JSON object."""

import json
from dataclasses import asdict
from typing import Any, Final

import click

from satyapan.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    SatyapanError,
    StillOpen,
    Unavailable,
    shown,
)
from satyapan.settings.declaration import SettingsError

SUCCESS: Final = 0
NOT_DONE: Final = 1
"""The verification is parked, or ended in another state than DONE."""
WRONG: Final = 2
"""Wrong usage, an invalid request, or wrong settings."""
CONFLICT: Final = 3
UNAVAILABLE: Final = 4
NOT_FOUND: Final = 5
STILL_OPEN: Final = 6
INTERRUPTED: Final = 130

_LONGEST: Final = 20_000
"""More characters than any error of ours has."""
JSON_FLAG: Final = "satyapan.json"
"""Whether --json was given, in click's meta."""
ERRORS: Final = (SatyapanError, click.UsageError)
_CODES: Final[dict[type[Exception], int]] = {
    Conflict: CONFLICT,
    Unavailable: UNAVAILABLE,
    NotFound: NOT_FOUND,
    StillOpen: STILL_OPEN,
}


def show_error(error: SatyapanError | click.UsageError, *, as_json: bool) -> int:
    """Print an error, as text on stderr or as an object on stdout, and return the exit code."""
    code = exit_code(error)
    if as_json:
        click.echo(json.dumps({"error": _described(error, code)}, ensure_ascii=False))
    else:
        click.echo(f"{_command(error)}: {_text(error)}", err=True)
    return code


def exit_code(error: Exception) -> int:
    """Return the exit code of an error."""
    return _CODES.get(type(error), WRONG)


def _text(error: SatyapanError | click.UsageError) -> str:
    """Format an error as one line; faults of settings and servers as a line each."""
    if isinstance(error, click.UsageError):
        return _line(error)
    return "\n  ".join(shown(line.strip(), _LONGEST) for line in str(error).splitlines())


def _described(error: SatyapanError | click.UsageError, code: int) -> dict[str, Any]:
    kind = type(error).__name__
    described: dict[str, Any] = {"type": kind, "message": _line(error), "exit_code": code}
    if isinstance(error, InvalidRequest):
        described["faults"] = [asdict(fault) for fault in error.faults]
        described["more"] = error.more
    if isinstance(error, SettingsError):
        described["faults"] = [
            {"setting": fault.name, "message": fault.message} for fault in error.faults
        ]
    if isinstance(error, Conflict | NotFound | Unavailable):
        described["verification_id"] = error.verification_id
    return described


def _line(error: SatyapanError | click.UsageError) -> str:
    if isinstance(error, click.UsageError):
        return shown(error.format_message().replace("\n", " "))
    first, *more = [line.strip() for line in str(error).splitlines()]
    return shown(f"{first} {'; '.join(more)}".rstrip(), _LONGEST)


def _command(error: SatyapanError | click.UsageError) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return context.command_path if context else "satyapan"
