"""The command `satyapan check`."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

import click

from config.checks import run_checks, unknown_variables
from config.findings import Finding, only_away
from config.redis_clients import ledger_client
from config.settings import read_settings
from satyapan.cli.errors import NOT_DONE, SUCCESS, UNAVAILABLE, WRONG
from satyapan.cli.options import json_option
from satyapan.settings.declaration import SettingsError


@click.command()
@json_option
@click.option("--strict", is_flag=True, help="Fail on warnings too, with exit code 1.")
def check(as_json: bool, strict: bool) -> None:
    """Check the settings and the servers that they name.

    Exit code 0: safe to start. 1: warnings, with --strict. 2: errors. 4: the only error is that
    Redis can't be reached.
    """
    try:
        settings = read_settings()
    except SettingsError as error:
        faults = [Finding("E000", "error", f"{name}: {text}", "") for name, text in error.faults]
        _report(faults, as_json=as_json)
        raise SystemExit(WRONG) from None
    with ledger_client(settings, "check") as client:
        findings = [*unknown_variables(os.environ), *run_checks(settings, client)]
    _report(findings, as_json=as_json)
    _exit_by_level(findings, strict=strict)


def _report(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2))
        return
    for each in findings:
        colour = "red" if each.level == "error" else "yellow"
        click.echo(f"{click.style(each.id, fg=colour)}  {each.message}")
        if each.hint:
            click.echo(f"      {each.hint}")
    errors = sum(each.level == "error" for each in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} warnings")


def _exit_by_level(findings: Sequence[Finding], *, strict: bool) -> NoReturn:
    if only_away(findings):
        raise SystemExit(UNAVAILABLE)
    levels = {each.level for each in findings}
    if "error" in levels:
        raise SystemExit(WRONG)
    raise SystemExit(NOT_DONE if strict and levels else SUCCESS)
