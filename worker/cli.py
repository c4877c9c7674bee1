"""`satyapan worker`: run a worker."""

import logging
import os
import sys
from pathlib import Path

import click

from config.checks import run_checks
from config.findings import UnsafeStart, refuse_if_unsafe
from config.logs import configure_logs
from config.settings import Settings, SettingsError, read_settings
from config.stores import ledger_client
from satyapan.points import arm
from worker.app import run_worker

log = logging.getLogger("satyapan.worker")


@click.command()
@click.option(
    "--heartbeat",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Touch this file after every sweep that went well (for a health check).",
)
def worker(heartbeat: Path | None) -> None:
    """Run a worker: it claims verifications and makes the vendor calls."""
    try:
        settings = read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    configure_logs(settings.log.level, settings.log.format)
    arm(os.environ)
    _refuse_unsafe(settings)
    sys.exit(run_worker(settings, heartbeat))


def _refuse_unsafe(settings: Settings) -> None:
    """Start only on a Redis that keeps what it was given."""
    try:
        refuse_if_unsafe(run_checks(settings, ledger_client(settings)))
    except UnsafeStart as error:
        for each in error.findings:
            log.error("refusing to start: %s %s %s", each.id, each.message, each.hint)  # noqa: TRY400
        sys.exit(1)
