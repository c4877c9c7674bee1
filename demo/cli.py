"""`satyapan demo`: a complete installation on this machine, with one command."""

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

from demo.console import Console, has_symbols
from demo.local_stack import LocalStack
from demo.scenario import run_scenario
from demo.scene import StepTimeout
from demo.sections.digilocker import JOURNEYS
from demo.server import ServerFailed, ServerMissing
from demo.stay import stay_up
from demo.summary import ScenarioOutcome, lines
from demo.supervisor import ChildFailed
from satyapan import SatyapanError

_FAILURES: Final = (
    ChildFailed,
    ServerFailed,
    ServerMissing,
    StepTimeout,
    SatyapanError,
    requests.RequestException,
)
_INTERRUPTED: Final = 130
_ENV: Final = {
    # There is no person to decide about a paid answer that is lost with a killed worker.
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
@click.option("--stay", is_flag=True, help="Keep running until Ctrl-C, with you as the person.")
@click.option("--json", "as_json", is_flag=True, help="Print only a summary, as JSON.")
@click.option("--keep-files", is_flag=True, help="Keep data, logs and pictures at the end.")
def demo(*, journey: str, stay: bool, as_json: bool, keep_files: bool) -> None:
    """Run verifications of six kinds on this machine, and check what the vendor charged.

    Starts a server, the sandbox vendor, a worker and the callbacks app on free ports, in a
    temporary folder, with new keys; prints what happens, and stops everything. Needs nothing
    installed, no account, and no network.

    Exit code 0: everything ended as expected and was charged once. 1: something did not. 130:
    Ctrl-C.
    """
    if stay and as_json:
        raise click.UsageError("--stay prints for a person: leave out --json")
    write = (lambda _: None) if as_json else click.echo
    console = Console(write, symbols=has_symbols(sys.stdout.encoding))
    try:
        code = _run(console, journey, stay=stay, as_json=as_json, keep_files=keep_files)
    except KeyboardInterrupt:
        click.echo("Stopped by Ctrl-C; no process is left running.", err=True)
        code = _INTERRUPTED
    sys.exit(code)


def _run(console: Console, journey: str, *, stay: bool, as_json: bool, keep_files: bool) -> int:
    begun = time.monotonic()
    with _folder(keep=keep_files) as keeper:
        try:
            with _stack(keeper.folder, console) as stack:
                if stay:
                    stay_up(stack, console)
                outcomes = run_scenario(stack, console, journey)
        except _FAILURES as failure:
            keeper.keep = True
            return _failed(failure, keeper.folder, as_json=as_json)
        keeper.keep = keeper.keep or not all(each.as_expected for each in outcomes)
        took = time.monotonic() - begun
        _print_summary(console, outcomes, took)
        if as_json:
            click.echo(json.dumps(_summary(stack, journey, outcomes, took, keeper)))
        _print_place(console, keeper)
        return 0 if all(each.as_expected for each in outcomes) else 1


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
def _stack(folder: Path, console: Console) -> Iterator[LocalStack]:
    console.line("Satyapan, complete on this machine, with the sandbox as the vendor.")
    console.section("Starting")

    def started(name: str, what: str) -> None:
        console.success(f"{name:10} {what}")

    with LocalStack(folder, env=_ENV, revive=True, started=started) as stack:
        try:
            yield stack
        finally:
            console.section("Stopping")


def _print_summary(console: Console, outcomes: Sequence[ScenarioOutcome], took: float) -> None:
    console.section("Summary")
    for line in lines(outcomes):
        console.line(f"  {line}")
    console.line()
    if all(each.as_expected for each in outcomes):
        console.success(f"everything ended as expected and was charged once, in {took:.1f} s")
    for each in outcomes:
        if not each.as_expected:
            console.failure(
                f"{each.verification.id} should have ended {each.expected}, charged once"
            )


def _print_place(console: Console, keeper: _Keeper) -> None:
    if keeper.keep:
        console.note(f"files are in {keeper.folder}, logs in {keeper.folder / 'logs'}")


def _summary(
    stack: LocalStack,
    journey: str,
    outcomes: Sequence[ScenarioOutcome],
    took: float,
    keeper: _Keeper,
) -> dict[str, object]:
    return {
        "ok": all(each.as_expected for each in outcomes),
        "journey": journey,
        "elapsed_s": round(took, 3),
        "restarted": stack.revived,
        "files": str(keeper.folder) if keeper.keep else None,
        "verifications": [each.data() for each in outcomes],
    }


def _failed(failure: Exception, folder: Path, *, as_json: bool) -> int:
    if as_json:
        error = {"type": type(failure).__name__, "message": str(failure)}
        click.echo(json.dumps({"ok": False, "error": error, "files": str(folder)}))
    else:
        click.echo(f"\nThe demo can't continue: {failure}", err=True)
        click.echo(f"Logs are in {folder / 'logs'}", err=True)
    return 1
