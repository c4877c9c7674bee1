"""Follow one verification: print its changes and its link; after Ctrl-C, how to continue."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any, Final

import click

from satyapan.cli.output import data_of, moment, print_json
from satyapan.client import Verifications
from satyapan.kinds import Kind
from satyapan.kinds.model import Mode
from satyapan.records import Verification

Draw = Callable[[str], str]
"""Returns a link as a QR code in text."""
_BLOCKS: Final = "\N{UPPER HALF BLOCK}\N{LOWER HALF BLOCK}\N{FULL BLOCK}"


def follow(
    verifications: Verifications,
    verification_id: str,
    seconds: float,
    report: Callable[[Verification], None],
) -> Verification:
    """Wait until a verification is settled; `report` gets its first state and each change.

    A poll that found nothing new is not a change. Ctrl-C prints how to continue.

    Raises:
        StillOpen, NotFound, Unavailable: as `Verifications.wait`.
    """
    before: dict[str, Any] = {}

    def seen(now: Verification) -> bool:
        nonlocal before
        if (data := data_of(now, private=False) | {"updated": None}) != before:
            report(now)
        before = data
        return now.settled

    try:
        return verifications.wait(verification_id, seconds, until=seen)
    except KeyboardInterrupt:
        commands = f"`satyapan watch {verification_id}` or `satyapan show {verification_id}`"
        click.echo(f"\nstopped waiting; the verification continues: {commands}", err=True)
        raise


def change_line(now: Verification) -> str:
    """Format the state of a verification as one line."""
    return f"{moment(now.updated)}  {now.id}  {now.state:8}  {now.status}  {now.reason}".rstrip()


@dataclass
class Progress:
    """Prints the changes of a verification, and its link as soon as it has one."""

    kind: Kind
    as_json: bool
    draw: Draw | None
    _printed: str = ""

    def report(self, now: Verification) -> None:
        """Print a change to stderr, and the link, once, to stdout; with --json all to stdout."""
        link = self._usable(now)
        if self.as_json:
            print_json(data_of(now, private=False) | ({"link": link} if link else {}))
            return
        click.echo(change_line(now), err=True)
        if link not in {"", self._printed}:
            self._printed = link
            click.echo(f"link  {link}")
            if self.draw:
                click.echo(self.draw(link))

    def _usable(self, now: Verification) -> str:
        """Return the link while it works: a journey's ends with the journey."""
        shared = any(each.mode is Mode.RESOURCE for each in self.kind.operations.values())
        return now.link if shared or not now.settled else ""


def qr_drawer(*, wanted: bool | None) -> Draw | None:
    """Return a function that draws QR codes; None if stdout can't show them.

    Raises:
        click.UsageError: QR codes are wanted, but the package segno is not installed.
    """
    if not (_terminal() if wanted is None else wanted):
        return None
    try:
        segno = import_module("segno")  # a dependency of the application, not of producers
    except ImportError:
        if wanted:
            raise click.UsageError("--qr needs the package segno: pip install segno") from None
        return None

    def draw(link: str) -> str:
        out = StringIO()
        segno.make(link, micro=False).terminal(out, compact=True)
        return out.getvalue()

    return draw


def _terminal() -> bool:
    try:
        _BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return sys.stdout.isatty()
