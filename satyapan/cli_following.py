"""How the command line follows one verification: its changes, its link, and after Ctrl-C."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any, Final

import click

from satyapan.cli_output import data_of, moment, say_json
from satyapan.client import Verifications
from satyapan.kinds import Kind
from satyapan.kinds.model import Mode
from satyapan.records import Verification

Draw = Callable[[str], str]
"""Draws a link as a QR code."""
_BLOCKS: Final = "\N{UPPER HALF BLOCK}\N{LOWER HALF BLOCK}\N{FULL BLOCK}"


def follow(
    verifications: Verifications,
    verification_id: str,
    seconds: float,
    tell: Callable[[Verification], None],
) -> Verification:
    """Wait until a verification is settled; `tell` is called with it at first and at each change.

    A poll that found nothing new is no change.

    Raises:
        StillOpen, NotFound, Unavailable: as `Verifications.wait`.
    """
    before: dict[str, Any] = {}

    def seen(now: Verification) -> bool:
        nonlocal before
        if (data := data_of(now, private=False) | {"updated": None}) != before:
            tell(now)
        before = data
        return now.settled

    with _resumable(verification_id):
        return verifications.wait(verification_id, seconds, until=seen)


@contextmanager
def _resumable(verification_id: str) -> Iterator[None]:
    """Say after Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        on = f"`satyapan watch {verification_id}` or `satyapan show {verification_id}`"
        click.echo(f"\nstopped waiting; the verification goes on: {on}", err=True)
        raise


def change_line(now: Verification) -> str:
    """Write where a verification is on one line."""
    return f"{moment(now.updated)}  {now.id}  {now.state:8}  {now.status}  {now.reason}".rstrip()


@dataclass
class Progress:
    """Shows a verification that somebody waits for; its link as soon as there is one."""

    kind: Kind
    as_json: bool
    draw: Draw | None
    _told: str = ""

    def tell(self, now: Verification) -> None:
        """Print a change: for people on stderr, and the link, once, on stdout."""
        link = self._usable(now)
        if self.as_json:
            say_json(data_of(now, private=False) | ({"link": link} if link else {}))
            return
        click.echo(change_line(now), err=True)
        if link not in {"", self._told}:
            self._told = link
            click.echo(f"link  {link}")
            if self.draw:
                click.echo(self.draw(link))

    def _usable(self, now: Verification) -> str:
        """Return the link while somebody can use it: a journey's until the journey has ended."""
        shared = any(each.mode is Mode.RESOURCE for each in self.kind.operations.values())
        return now.link if shared or not now.settled else ""


def qr_drawer(*, wanted: bool | None) -> Draw | None:
    """Return what draws QR codes; None where stdout is no terminal that shows them.

    Raises:
        click.UsageError: they are wanted, but the package that makes them is not installed.
    """
    if not (_terminal() if wanted is None else wanted):
        return None
    try:
        segno = import_module("segno")  # the application's, not the producer's dependency
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
