"""The findings of start-up checks, and the refusal to start on an error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from satyapan.errors import SatyapanError

Level = Literal["error", "warning"]
_AWAY: Final = {"E001", "E017"}
"""Findings of servers that can't be reached: the ledger's and the broker's."""


@dataclass(frozen=True)
class Finding:
    """A problem and what to do about it; contains no secret."""

    id: str
    """A letter for the level, and a number that is the same at both levels."""
    level: Level
    message: str
    hint: str


class UnsafeStart(SatyapanError):
    """Starting could lose or repeat paid work; correct the errors in `findings` first."""

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
    return Finding(f"{level[0].upper()}{number:03}", level, message, hint)


def refuse_if_unsafe(findings: Sequence[Finding]) -> None:
    """Raise UnsafeStart if any finding is an error."""
    if errors := [each for each in findings if each.level == "error"]:
        raise UnsafeStart(errors)


def redacted(url: str) -> str:
    """Return a URL without user, password and options."""
    parts = urlsplit(url)
    if not parts.hostname:
        return f"{parts.scheme}://{parts.path}"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
