"""The command that serves the public web app."""

import os

import click

from callbacks.operations.access import PUBLIC
from callbacks.server import address, serve
from config.logs import configure_logs, log_fatal_errors
from config.settings import read_settings
from config.validators import is_address
from satyapan.failpoints import enable


def _address(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    keyword = option.name == "ops_bind" and text in {"", PUBLIC}
    if text is not None and not keyword and not is_address(text):
        raise click.BadParameter("write it as host:port ([host]:port for IPv6)")
    return text


@click.command()
@click.option(
    "--bind",
    metavar="HOST:PORT",
    callback=_address,
    help="Address to listen on; port 0 takes a free one.",
)
@click.option(
    "--ops-bind",
    metavar="HOST:PORT",
    callback=_address,
    help="Address for /metrics and /openapi.json; public: on the public one.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)
def callbacks(bind: str | None, ops_bind: str | None, workers: int) -> None:
    """Serve the return page and receive the vendor's webhooks."""
    settings = read_settings()
    configure_logs(settings.log.level, settings.log.format)
    enable(os.environ)
    hooks = settings.callbacks
    public = bind or address(hooks.host, hooks.port)
    with log_fatal_errors():
        serve(settings, public, hooks.ops_bind if ops_bind is None else ops_bind, workers)
