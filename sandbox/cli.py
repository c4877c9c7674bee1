"""The command line of the sandbox: print one line with the address, then serve."""

import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from flask import Flask

from sandbox.app import PREFIX, UnknownQuota, create_app
from sandbox.config import DEFAULT_ACCOUNTS, SandboxConfig
from sandbox.definitions.yaml_file import BadOperationFile
from sandbox.server import SandboxServer


def _accounts(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    accounts = {}
    for pair in pairs:
        client_id, colon, secret = pair.partition(":")
        if not (client_id and colon and secret):
            raise click.BadParameter("write it as id:secret")
        accounts[client_id] = secret
    return accounts or dict(DEFAULT_ACCOUNTS)


def _quotas(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, int]:
    quotas = {}
    for pair in pairs:
        route, _sign, number = pair.partition("=")
        if not (route and number.isdigit()):
            raise click.BadParameter("write it as route=number")
        quotas[route] = int(number)
    return quotas


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID:SECRET",
    callback=_accounts,
    help="A key pair; may be given several times. Default: sandbox-client:sandbox-secret.",
)
@click.option(
    "--test-secret",
    default=SandboxConfig.test_secret,
    show_default=True,
    help="Secret that is refused as a test secret used in production.",
)
@click.option("--require-signature", is_flag=True, help="Require x-cf-signature.")
@click.option(
    "--signature-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key (PEM) that must decrypt x-cf-signature.",
)
@click.option("--webhook-url", help="Address to which signed webhooks are sent.")
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="ROUTE=N",
    callback=_quotas,
    help="Calls per window; may be given several times.",
)
@click.option(
    "--quota-window",
    "quota_window_s",
    default=60.0,
    show_default=True,
    help="Length of the quota's window, in seconds.",
)
@click.option(
    "--loopback-redirects",
    is_flag=True,
    help="Also accept plain http redirects to this machine (not the vendor's rule).",
)
@click.option(
    "--public-base", help="Base of the addresses that people open. Default: its own address."
)
@click.option("--url-lifetime", "url_lifetime_s", default=600.0, show_default=True)
@click.option("--consent-lifetime", "consent_lifetime_s", default=3600.0, show_default=True)
@click.option("--latency-ms", default=0, show_default=True, help="Delay before each response.")
@click.option(
    "--document-202",
    default=0,
    show_default=True,
    help='How many fetches of each document are answered "not ready".',
)
@click.option(
    "--failed-consumes-id", is_flag=True, help="422, 500 and 502 use up the verification_id."
)
@click.option(
    "--same-static-link",
    "repeat_link_is_new",
    flag_value=False,
    default=True,
    help="A repeated create returns the first link.",
)
@click.option(
    "--operations",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Folder with more operation files (sandbox/README.md); may be given several times.",
)
@click.option(
    "--audit",
    "audit_file",
    type=click.Path(dir_okay=False),
    help="Append one JSON line for each chargeable execution to this file.",
)
def sandbox(host: str, port: int, signature_key: Path | None, **options: Any) -> None:
    """Run the emulated vendor; its page / lists what it knows, with test data to copy."""
    key = signature_key.read_text() if signature_key else None
    config = SandboxConfig(signature_key=key, **options)
    listener = SandboxServer(_app(config), host, port)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    click.echo(f"sandbox listening on http://{host}:{listener.port}{PREFIX}")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        listener.serve()


def _app(config: SandboxConfig) -> Flask:
    try:
        return create_app(config)
    except UnknownQuota as error:
        raise click.UsageError(f"--quota: write it as route=number; {error}") from error
    except BadOperationFile as error:
        raise click.ClickException(str(error)) from error


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
