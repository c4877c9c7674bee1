"""The desk on the command line: `satyapan redrive`, `reissue`, `replay`, `forget`, `retire` ..."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click
from redis.exceptions import RedisError

from config.inbox import Inbox, Letter, LetterState
from config.settings import read_settings
from config.stores import ledger_client
from satyapan.broker import Waker, wake_app
from satyapan.errors import SatyapanError, Unavailable, shown
from satyapan.kinds import Registry
from satyapan.ledger import Ledger
from satyapan.names import Keys
from worker.build import policy, work_ledger
from worker.desk import Act, Desk
from worker.redacted import redacted
from worker.rewrite import PAUSE_MS
from worker.rules.person import Refused

_REFUSED: Final = 1
_LONGEST_ID: Final = 100
_FILES: Final = (
    f"A worker has Redis rewrite its append-only file within {PAUSE_MS // 60_000} minutes. Until "
    "then, and in backups for good, what is forgotten can be opened with the seal keys."
)
_by = click.option("--by", default=getpass.getuser, help="Who does this; kept in the record.")
_dry = click.option("--dry-run", is_flag=True, help="Decide and say, but write nothing.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def open_desk(by: str, *, dry: bool = False) -> Desk:
    """Open the desk of the installation that the environment describes."""
    settings = read_settings()
    redis, keys = ledger_client(settings, "desk"), Keys(settings.producer.prefix)
    ring, life_ms = settings.producer.ring(), settings.retention.inbox_s * 1000
    return Desk(
        ledger=work_ledger(settings, Ledger(redis, keys, ring)),
        inbox=Inbox(redis, keys, ring, life_ms, settings.producer.id_key_bytes()),
        kinds=Registry.with_plugins(settings.producer.kinds),
        policy=policy(settings),
        wake=Waker(wake_app(settings.producer)).wake,
        by=by,
        dry=dry,
    )


@contextmanager
def _desk(by: str = "", *, dry: bool = False) -> Iterator[Desk]:
    """Open the desk for one command; a server that is away ends it with a line, no traceback."""
    if not (by == "" or by.isprintable()):
        raise click.UsageError("--by should be printable text")
    try:
        yield open_desk(by, dry=dry)
    except RedisError as error:
        raise Unavailable(f"the ledger can't be reached ({type(error).__name__})") from error


@click.command()
@click.argument("ids", nargs=-1, required=True)
@_by
@_dry
@_json
def redrive(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Set parked verifications going again, with the same vendor-side id."""
    with _desk(by, dry=dry_run) as desk:
        _each(desk.redrive, ids, as_json=as_json)


@click.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--pay-again", is_flag=True, help="Say that a second charge is wanted.")
@_by
@_dry
@_json
def reissue(
    ids: tuple[str, ...], by: str, *, pay_again: bool, dry_run: bool, as_json: bool
) -> None:
    """Buy parked verifications again, under a new vendor-side id."""
    if not (pay_again or dry_run):
        raise click.UsageError("each of these may be paid for a second time: add --pay-again")
    with _desk(by, dry=dry_run) as desk:
        _each(desk.reissue, ids, as_json=as_json)


@click.command()
@click.argument("ids", nargs=-1, required=True)
@_by
@_dry
@_json
def replay(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Work on stored webhooks again (see `inbox` for their ids)."""
    with _desk(by, dry=dry_run) as desk:
        _each(desk.replay, ids, as_json=as_json)


@click.command()
@click.argument("ids", nargs=-1, required=True)
@_by
@_dry
@_json
def forget(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Shred the private data of finished verifications, for good."""
    with _desk(by, dry=dry_run) as desk:
        _each(desk.forget, ids, as_json=as_json, after="" if dry_run else _FILES)


@click.command()
@click.argument("ids", nargs=-1, required=True)
@_by
@_dry
@_json
def retire(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Give the shared links that these got out no more; the next is bought anew."""
    with _desk(by, dry=dry_run) as desk:
        _each(desk.retire, ids, as_json=as_json)


@click.command()
@click.option("--limit", default=50, show_default=True, help="At most so many, newest first.")
def acts(limit: int) -> None:
    """Show what people did by hand, one JSON object a line."""
    with _desk() as desk:
        for act in desk.acts(limit):
            click.echo(act.decode())


@click.command()
@click.option(
    "--state",
    type=click.Choice([each.value for each in LetterState], case_sensitive=False),
    help="Only those in this state; all when left out.",
)
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    help="At most so many, newest first.",
)
@click.option("--show", "letter_id", metavar="ID", help="Show one, private values hidden.")
@_json
def inbox(state: str | None, limit: int, letter_id: str | None, *, as_json: bool) -> None:
    """List the webhooks that are kept, newest first, without their content; or show one."""
    with _desk() as desk:
        if letter_id:
            _show(desk, letter_id)
            return
        letters = list(desk.inbox.newest(LetterState(state) if state else None, limit))
    for letter in letters:
        click.echo(_line(letter, as_json=as_json))
    if not letters:
        click.echo(f"no webhook is {state or 'kept'}", err=True)


def _show(desk: Desk, letter_id: str) -> None:
    letter = desk.inbox.read(letter_id) if letter_id.isascii() else None
    if letter is None:
        click.echo(f"no webhook {shown(letter_id)} is kept", err=True)
        sys.exit(_REFUSED)
    click.echo(json.dumps(_facts(letter) | {"content": redacted(letter.body)}, indent=2))


def _line(letter: Letter, *, as_json: bool) -> str:
    shown = _facts(letter)
    return json.dumps(shown) if as_json else "  ".join(str(part) for part in shown.values())


def _facts(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "state": letter.state,
        "event": letter.event,
        "verification_id": letter.verification_id,
        "received": datetime.fromtimestamp(letter.received / 1000, UTC).isoformat("T", "seconds"),
        "tries": letter.tries,
        "code": letter.code,
    }


def _legible(text: str) -> str:
    """Return an id as it is.

    Raises:
        Refused: nothing stored has such an id.
    """
    if not (text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID):
        raise Refused("nothing stored has such an id")
    return text


def _each(
    act: Callable[[str], Act], ids: tuple[str, ...], *, as_json: bool, after: str = ""
) -> None:
    """Act on each id; a refusal is told and the rest goes on. Exits 1 if anything was refused.

    `after` is printed at the end, unless everything was refused.
    """
    refused = 0
    for one in ids:
        try:
            done = asdict(act(_legible(one)))
        except (Refused, SatyapanError) as error:
            refused += 1
            done = {"id": shown(one), "refused": str(error)}
        text = json.dumps(done) if as_json else "  ".join(str(part) for part in done.values())
        click.echo(text, err="refused" in done and not as_json)
    if after and refused < len(ids):
        click.echo(after, err=True)
    sys.exit(_REFUSED if refused else 0)
