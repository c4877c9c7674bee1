"""Operators' commands: `satyapan redrive`, `reissue`, `replay`, `forget`, `retire` ..."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import click
from redis.exceptions import RedisError

from config.redis_clients import ledger_client
from config.settings import read_settings
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.cli.errors import NOT_DONE, NOT_FOUND, SUCCESS, exit_code
from satyapan.cli.options import Words, json_option, limit_option
from satyapan.cli.output import moment, print_json, table
from satyapan.errors import SatyapanError, Unavailable, shown
from satyapan.kinds import Registry
from satyapan.names import Keys
from shared.inbox.inbox import Inbox
from shared.inbox.stored_webhook import StoredWebhook, WebhookState
from worker.from_settings import policy, work_ledger
from worker.ledger.rewrite import PAUSE_MS
from worker.ledger.work_ledger import AuditEntry
from worker.operator.actions import OperatorActions, Unknown
from worker.operator.redacted import redacted
from worker.rules.person import ActionRefused

_LONGEST_ID: Final = 100
_FILES: Final = (
    f"A worker has Redis rewrite its append-only file within {PAUSE_MS // 60_000} minutes. Until "
    "then, and in backups for good, what is forgotten can be opened with the seal keys."
)


def _acting(act: Callable[..., None]) -> click.Command:
    """Make the command of an action, with the parameters that all actions have."""
    ids = click.argument("ids", nargs=-1, required=True)
    by = click.option(
        "--by", default=getpass.getuser, help="The operator's name; stored with the action."
    )
    dry = click.option("--dry-run", is_flag=True, help="Print what would be done; write nothing.")
    return click.command()(ids(by(dry(json_option(act)))))


@contextmanager
def _actions(by: str = "", *, dry: bool = False) -> Iterator[OperatorActions]:
    """Build the actions for one command; if Redis is away it ends with a line, no traceback."""
    if not (by == "" or by.isprintable()) or "," in by:
        # A row's record of its generations separates them by commas.
        raise click.UsageError("--by should be printable text without a comma")
    try:
        settings = read_settings()
        redis, keys = ledger_client(settings, "operator"), Keys(settings.producer.prefix)
        ring, life_ms = settings.producer.ring(), settings.retention.inbox_s * 1000
        yield OperatorActions(
            ledger=work_ledger(settings, redis, keys, ring),
            inbox=Inbox(redis, keys, ring, life_ms, settings.producer.id_key_bytes()),
            kinds=Registry.with_plugins(settings.producer.kinds),
            policy=policy(settings),
            wake=Waker(wake_app(settings.producer)).wake,
            by=by,
            dry=dry,
        )
    except RedisError as error:
        raise Unavailable(f"the ledger can't be reached ({type(error).__name__})") from error


@_acting
def redrive(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Resume parked verifications under the same vendor-side id."""
    with _actions(by, dry=dry_run) as operator:
        _each(operator.redrive, ids, as_json=as_json)


@_acting
@click.option("--pay-again", is_flag=True, help="Confirm that a second charge is wanted.")
def reissue(
    ids: tuple[str, ...], by: str, *, pay_again: bool, dry_run: bool, as_json: bool
) -> None:
    """Buy parked verifications again, under a new vendor-side id."""
    if not (pay_again or dry_run):
        raise click.UsageError("each of these may be paid for a second time: add --pay-again")
    with _actions(by, dry=dry_run) as operator:
        _each(operator.reissue, ids, as_json=as_json)


@_acting
def replay(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Process stored webhooks again (`satyapan inbox` lists their ids)."""
    with _actions(by, dry=dry_run) as operator:
        _each(operator.replay, ids, as_json=as_json)


@_acting
def forget(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete the private data of finished verifications for good."""
    with _actions(by, dry=dry_run) as operator:
        _each(operator.forget, ids, as_json=as_json, note="" if dry_run else _FILES)


@_acting
def retire(ids: tuple[str, ...], by: str, *, dry_run: bool, as_json: bool) -> None:
    """Stop sharing the links of these verifications; the next request pays for a new one."""
    with _actions(by, dry=dry_run) as operator:
        _each(operator.retire, ids, as_json=as_json)


@click.command()
@limit_option(50, "List at most this many, newest first.")
@json_option
def audit(limit: int, *, as_json: bool) -> None:
    """List the audit log: what operators did by hand, newest first."""
    with _actions() as operator:
        rows = [
            {"time": moment(at), **asdict(entry)} for at, entry in operator.ledger.audit_log(limit)
        ]
    _list(rows, as_json=as_json, empty="no operator has acted so far")


@click.command()
@click.option(
    "--state",
    type=Words(WebhookState),
    metavar="STATE",
    help=f"Only webhooks in this state: {', '.join(WebhookState)}.",
)
@limit_option(50, "List at most this many, newest first.")
@click.option(
    "--show", "webhook_id", metavar="ID", help="Show one webhook; private values are hidden."
)
@json_option
def inbox(state: WebhookState | None, limit: int, webhook_id: str | None, *, as_json: bool) -> None:
    """List the stored webhooks, newest first, without their content; or show one."""
    with _actions() as operator:
        if webhook_id:
            _show(operator, webhook_id, as_json=as_json)
            return
        rows = [_facts(webhook) for webhook in operator.inbox.newest(state, limit)]
    _list(rows, as_json=as_json, empty=f"no webhook is {state or 'kept'}")


def _show(operator: OperatorActions, webhook_id: str, *, as_json: bool) -> None:
    webhook = operator.inbox.read(webhook_id) if webhook_id.isascii() else None
    if webhook is None:
        name = shown(webhook_id, _LONGEST_ID)
        _say({"id": name, "refused": f"no webhook {name} is kept"}, as_json=as_json)
        sys.exit(NOT_FOUND)
    data = _facts(webhook) | {"content": redacted(webhook.body)}
    click.echo(json.dumps(data, indent=None if as_json else 2))


def _list(rows: Sequence[Mapping[str, object]], *, as_json: bool, empty: str) -> None:
    """Print a table with a header, or one JSON object a line; an empty table is said on stderr."""
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        cells = [[str(part) for part in row.values()] for row in rows]
        click.echo("\n".join(table([[name.upper() for name in rows[0]], *cells])))
    else:
        click.echo(empty, err=True)


def _facts(webhook: StoredWebhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "state": webhook.state,
        "event": webhook.event,
        "verification_id": webhook.verification_id,
        "received": moment(webhook.received),
        "tries": webhook.tries,
        "code": webhook.code,
    }


def _legible(text: str) -> str:
    """Return an id as it is.

    Raises:
        Unknown: nothing stored has such an id.
    """
    if not (text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID):
        raise Unknown("nothing stored has such an id")
    return text


def _each(
    act: Callable[[str], AuditEntry], ids: tuple[str, ...], *, as_json: bool, note: str = ""
) -> None:
    """Act on each id; a refused one doesn't stop the others. Exit with the lowest code of all.

    `note` goes to stderr at the end if anything was done.
    """
    codes = []
    for one in ids:
        try:
            done = asdict(act(_legible(one)))
        except Unavailable:
            raise
        except (ActionRefused, SatyapanError) as error:
            codes.append(_code(error))
            done = {"id": shown(one), "refused": str(error)}
        _say(done, as_json=as_json)
    if note and len(codes) < len(ids):
        click.echo(note, err=True)
    sys.exit(min(codes, default=SUCCESS))


def _code(error: ActionRefused | SatyapanError) -> int:
    if isinstance(error, ActionRefused):
        return NOT_FOUND if isinstance(error, Unknown) else NOT_DONE
    return exit_code(error)


def _say(done: Mapping[str, object], *, as_json: bool) -> None:
    text = json.dumps(done) if as_json else "  ".join(str(part) for part in done.values())
    click.echo(text, err="refused" in done and not as_json)
