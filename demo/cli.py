"""`satyapan demo`: everything on this machine, with one command."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import requests

from demo.server import ServerFailed, ServerMissing
from demo.stage import Stage
from demo.stay import stay_up
from demo.story import JOURNEYS, Story, Stuck
from demo.summary import Outcome, lines
from demo.supervisor import ChildFailed
from demo.telling import Teller, has_symbols
from satyapan import SatyapanError

_FAILURES: Final = (
    ChildFailed,
    ServerFailed,
    ServerMissing,
    Stuck,
    SatyapanError,
    requests.RequestException,
)
_INTERRUPTED: Final = 130
_ENV: Final = {
    # A paid answer that is lost with a killed worker ends here, with no person to decide.
    "SATYAPAN_WORKER_LOST_ANSWER": "passport=fail",
}


@click.command()
@click.option(
    "--journey",
    type=click.Choice(list(JOURNEYS)),
    default="allow",
    show_default=True,
    help="What the person does in DigiLocker's page.",
)
@click.option("--stay", is_flag=True, help="Stay up, and let you be the person; until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for programs, no story.")
@click.option("--keep-files", is_flag=True, help="Keep data, logs and pictures afterwards.")
def demo(*, journey: str, stay: bool, as_json: bool, keep_files: bool) -> None:
    """Watch three verifications run here: passport, static KYC link, DigiLocker.

    Starts a server, the sandbox vendor, a worker and the callbacks app on free ports, in a folder
    of their own, with new keys; tells what happens, and stops everything. Needs nothing
    installed, no account, and no network.

    Exit code 0: everything ended as told and was charged once. 1: something did not. 130: Ctrl-C.
    """
    if stay and as_json:
        raise click.UsageError("--stay talks to a person: leave out --json")
    write = (lambda _: None) if as_json else click.echo
    teller = Teller(write, symbols=has_symbols(sys.stdout.encoding))
    try:
        code = _run(teller, journey, stay=stay, as_json=as_json, keep_files=keep_files)
    except KeyboardInterrupt:
        click.echo("Stopped as you asked; nothing is left running.", err=True)
        code = _INTERRUPTED
    sys.exit(code)


def _run(teller: Teller, journey: str, *, stay: bool, as_json: bool, keep_files: bool) -> int:
    begun = time.monotonic()
    with _folder(keep=keep_files) as keeper:
        try:
            with _stage(keeper.folder, teller) as stage:
                if stay:
                    stay_up(stage, teller)
                outcomes = Story(stage, teller, journey).run()
        except _FAILURES as failure:
            keeper.keep = True
            return _failed(failure, keeper.folder, as_json=as_json)
        keeper.keep = keeper.keep or not all(each.as_told for each in outcomes)
        took = time.monotonic() - begun
        _tell(teller, outcomes, took)
        if as_json:
            click.echo(json.dumps(_summary(stage, journey, outcomes, took, keeper)))
        _tell_place(teller, keeper)
        return 0 if all(each.as_told for each in outcomes) else 1


class _Keeper:
    """A folder, and whether it is kept."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self.folder = folder
        self.keep = keep


@contextmanager
def _folder(*, keep: bool) -> Iterator[_Keeper]:
    keeper = _Keeper(Path(tempfile.mkdtemp(prefix="satyapan-demo-")), keep=keep)
    try:
        yield keeper
    finally:
        if not keeper.keep:
            shutil.rmtree(keeper.folder, ignore_errors=True)


@contextmanager
def _stage(folder: Path, teller: Teller) -> Iterator[Stage]:
    teller.line("Satyapan, the whole of it on this machine, with a sandbox for a vendor.")
    teller.chapter("Starting")

    def started(name: str, what: str) -> None:
        teller.good(f"{name:10} {what}")

    with Stage(folder, env=_ENV, revive=True, started=started) as stage:
        try:
            yield stage
        finally:
            teller.chapter("Stopping")


def _tell(teller: Teller, outcomes: Sequence[Outcome], took: float) -> None:
    teller.chapter("Summary")
    for line in lines(outcomes):
        teller.line(f"  {line}")
    teller.line()
    if all(each.as_told for each in outcomes):
        teller.good(f"everything ended as told and was paid for once, in {took:.1f} s")
    for each in outcomes:
        if not each.as_told:
            teller.bad(f"{each.verification.id} should have ended {each.told}, paid for once")


def _tell_place(teller: Teller, keeper: _Keeper) -> None:
    if keeper.keep:
        teller.see(f"files are in {keeper.folder}, logs in {keeper.folder / 'logs'}")


def _summary(
    stage: Stage, journey: str, outcomes: Sequence[Outcome], took: float, keeper: _Keeper
) -> dict[str, object]:
    return {
        "ok": all(each.as_told for each in outcomes),
        "journey": journey,
        "elapsed_s": round(took, 3),
        "restarted": stage.revived,
        "files": str(keeper.folder) if keeper.keep else None,
        "verifications": [each.data() for each in outcomes],
    }


def _failed(failure: Exception, folder: Path, *, as_json: bool) -> int:
    if as_json:
        error = {"type": type(failure).__name__, "message": str(failure)}
        click.echo(json.dumps({"ok": False, "error": error, "files": str(folder)}))
    else:
        click.echo(f"\nThe demo can't go on: {failure}", err=True)
        click.echo(f"Logs are in {folder / 'logs'}", err=True)
    return 1
