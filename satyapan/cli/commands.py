"""The commands of a producer: submit, show, watch, list."""

import time
from functools import partial
from typing import Final, NoReturn, TextIO

import click

from satyapan.cli.errors import NOT_DONE, SUCCESS
from satyapan.cli.following import Progress, change_line, follow, qr_drawer
from satyapan.cli.input import read_request
from satyapan.cli.kinds import complete_kind, registry
from satyapan.cli.options import Words, json_option, limit_option
from satyapan.cli.output import (
    counted,
    data_of,
    event_data,
    event_line,
    lines_of,
    listed_data,
    moment,
    print_either,
    print_json,
    table,
)
from satyapan.client import Priority, Verifications
from satyapan.errors import NotFound
from satyapan.ids import possible_id
from satyapan.records import State, Verification

GROUP: Final = "satyapan-watch"
_BLOCK_S: Final = 1.0


def _exit_by_state(verification: Verification) -> NoReturn:
    click.get_current_context().exit(SUCCESS if verification.state is State.DONE else NOT_DONE)


@click.command()
@click.argument("kind", shell_complete=complete_kind)
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option(
    "--data",
    metavar="JSON",
    help="The request as a JSON object. Arguments are visible in the process list and stay in the "
    "shell's history: use --data-file for private data.",
)
@click.option(
    "--data-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Read the request from a file with a JSON object; - reads standard input.",
)
@click.option("--id", "verification_id", metavar="ID", help="The verification_id to use.")
@click.option(
    "--key",
    help="Your own name for this verification, without private data; the id is derived from it. "
    "Give --id or --key.",
)
@click.option(
    "--priority",
    type=Words(["normal", "high"]),
    metavar="LANE",
    default="normal",
    show_default=True,
    help="normal or high; high is called before others that wait for the vendor's quota.",
)
@click.option(
    "--operation",
    metavar="NAME",
    help="Another operation of the kind than the usual one; `satyapan kinds KIND` lists them.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait for the end, at most this long; print each change, and the link.",
)
@click.option(
    "--qr/--no-qr",
    default=None,
    help="With --wait: print the link also as a QR code. Default: only on a terminal.",
)
@json_option
def submit(  # noqa: PLR0913  one parameter for each option
    *,
    kind: str,
    fields: tuple[str, ...],
    data: str | None,
    data_file: TextIO | None,
    verification_id: str | None,
    key: str | None,
    priority: Priority,
    operation: str | None,
    wait: float | None,
    qr: bool | None,
    as_json: bool,
) -> None:
    """Submit a verification.

    `satyapan kinds` lists the KINDs, `satyapan kinds KIND` shows the fields of one. Give the
    request by --data-file, by --data, or as FIELD=VALUE (commas separate the values of a list).
    Arguments are visible in the process list and stay in the shell's history: give private data
    by --data-file only.

    Submitting the same request again with the same --id or --key is free and shows the same
    verification.
    """
    if (verification_id is None) == (key is None):
        raise click.UsageError("give either --id or --key")
    if qr and (wait is None or as_json):
        raise click.UsageError("--qr needs --wait, and can't be used with --json")
    asked = registry().ask(kind)
    progress = Progress(asked, as_json, None if as_json else qr_drawer(wanted=qr))
    request = read_request(asked, fields, data, data_file)
    verifications = Verifications.from_env()
    found = verifications.submit(
        kind,
        request,
        verification_id=verification_id,
        key=key,
        priority=priority,
        operation=operation,
    )
    if wait is not None:
        found = follow(verifications, found.id, wait, progress.report)
    if wait is None or not as_json:
        _print(found, private=False, as_json=as_json)
    if wait is not None:
        _exit_by_state(found)


@click.command()
@click.argument("verification_id", metavar="ID")
@click.option("--private", is_flag=True, help="Also print the result and the link.")
@json_option
def show(*, verification_id: str, private: bool, as_json: bool) -> None:
    """Show one verification; of its result only the names of the fields."""
    found = Verifications.from_env().get(verification_id)
    if found is None:
        raise NotFound(possible_id(verification_id))
    _print(found, private=private, as_json=as_json)


def _print(verification: Verification, *, private: bool, as_json: bool) -> None:
    data = data_of(verification, private=private)
    print_either(data, lines_of(verification, registry(), private=private), as_json=as_json)


@click.command()
@click.argument("verification_id", metavar="[ID]", required=False)
@click.option(
    "--group",
    default=GROUP,
    show_default=True,
    help="Without ID: the consumer group of the reader.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this long."
)
@json_option
def watch(*, verification_id: str | None, group: str, timeout: float | None, as_json: bool) -> None:
    """Follow one verification, or all events.

    With ID: print each change until the verification is settled; exit code 0 if it is DONE.

    Without ID: print this producer's events as they come, one on a line. Each group gets every
    event once, older ones included, and continues after its last event.
    """
    verifications = Verifications.from_env()
    seconds = float("inf") if timeout is None else timeout
    if verification_id is None:
        _watch_events(verifications, group, seconds, as_json=as_json)
    else:
        report = partial(_print_change, as_json=as_json)
        _exit_by_state(follow(verifications, verification_id, seconds, report))


def _watch_events(
    verifications: Verifications, group: str, seconds: float, *, as_json: bool
) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for event in verifications.events(group, block=min(_BLOCK_S, left)):
            print_either(event_data(event), [event_line(event)], as_json=as_json)


def _print_change(now: Verification, *, as_json: bool) -> None:
    print_either(data_of(now, private=False), [change_line(now)], as_json=as_json)


@click.command("list")
@click.option(
    "--state", type=Words(State), metavar="STATE", help=f"Only this state: {', '.join(State)}."
)
@limit_option(10, "Most verifications of each state, newest first.")
@json_option
def list_(*, state: State | None, limit: int, as_json: bool) -> None:
    """List the newest verifications of each state, and count them."""
    verifications = Verifications.from_env()
    counts = verifications.counts()
    states = [state] if state else list(State)
    found = [each for one in states for each in verifications.newest(one, limit)]
    if as_json:
        print_json({"counts": counts, "verifications": [listed_data(each) for each in found]})
        return
    if not (summary := counted({one: counts[one] for one in states})):
        click.echo(f"no verification is {state or 'stored'}", err=True)
        return
    click.echo(summary)
    if found:
        head = ("ID", "KIND", "STATE", "STATUS", "REASON", "UPDATED")
        rows_of = [(v.id, v.kind, v.state, v.status, v.reason, moment(v.updated)) for v in found]
        click.echo("\n".join(["", *table([head, *rows_of])]))
