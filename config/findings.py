"""What a start-up check finds, and the refusal to start on a bad one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from satyapan.errors import SatyapanError

Level = Literal["error", "warning"]
_LETTER: Final = {"error": "E", "warning": "W"}
_AWAY: Final = {"E001", "E017"}
"""The ledger's server, and the broker's, can't be reached."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful, and what to do about it. Holds no secret."""

    id: str
    """A letter for the level and a number that stays the same at either level."""
    level: Level
    message: str
    hint: str


class UnsafeStart(SatyapanError):
    """Starting could lose or repeat paid work; `findings` has the errors. Mend them first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        lines = "".join(f"\n  {each.id} {each.message} {each.hint}" for each in self.findings)
        super().__init__(f"refusing to start:{lines}")


def only_away(findings: Sequence[Finding]) -> bool:
    """Return True if servers that can't be reached are the only errors."""
    errors = {each.id for each in findings if each.level == "error"}
    return bool(errors) and errors <= _AWAY


def found(number: int, level: Level, message: str, hint: str) -> Finding:
    """Build a finding."""
    return Finding(f"{_LETTER[level]}{number:03}", level, message, hint)


def refuse_if_unsafe(findings: Sequence[Finding]) -> None:
    """Raise UnsafeStart if any finding is an error."""
    if errors := [each for each in findings if each.level == "error"]:
        raise UnsafeStart(errors)


def redacted(url: str) -> str:
    """Name a server without user, password and options."""
    parts = urlsplit(url)
    if not parts.hostname:
        return f"{parts.scheme}://{parts.path}"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
