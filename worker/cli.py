"""`satyapan worker`: run a worker."""

import os
import sys
from pathlib import Path

import click

from config.checks import start_checks
from config.findings import refuse_if_unsafe
from config.logs import configure_logs, log_fatal_errors
from config.redis_clients import ledger_client
from config.settings import read_settings
from satyapan.failpoints import enable
from worker.app import run_worker


@click.command()
@click.option(
    "--heartbeat",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Touch this file after every sweep that went well (for a health check).",
)
def worker(heartbeat: Path | None) -> None:
    """Run a worker: it claims verifications and makes the vendor calls."""
    settings = read_settings()
    configure_logs(settings.log.level, settings.log.format)
    enable(os.environ)
    with log_fatal_errors():
        refuse_if_unsafe(start_checks(settings, ledger_client(settings)))
        sys.exit(run_worker(settings, heartbeat))
