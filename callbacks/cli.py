"""The command that listens to the outside."""

import os

import click

from callbacks.server import address, serve
from config.logs import configure_logs, last_words
from config.settings import read_settings
from satyapan.points import arm


@click.command()
@click.option("--bind", metavar="HOST:PORT", help="Address to listen on; port 0 takes a free one.")
@click.option(
    "--ops-bind",
    metavar="HOST:PORT",
    help="Address for /metrics and /openapi.json; public: on the other one.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)
def callbacks(bind: str | None, ops_bind: str | None, workers: int) -> None:
    """Take returning browsers and the vendor's webhooks."""
    settings = read_settings()
    configure_logs(settings.log.level, settings.log.format)
    arm(os.environ)
    hooks = settings.callbacks
    public = bind or address(hooks.host, hooks.port)
    with last_words():
        serve(settings, public, hooks.ops_bind if ops_bind is None else ops_bind, workers)
