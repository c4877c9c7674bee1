"""Shell completion of kinds, states and commands, enabled as in docs/command-line.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from satyapan.kinds import PLACES
from satyapan.records import State
from tests.support.project import ROOT

PROGRAM = str(Path(sys.executable).with_name("satyapan"))


def completed(*words: str, **more: str) -> set[str]:
    """Return the installed program's completions of the last word, asked for as bash does."""
    env = {
        "PATH": os.environ["PATH"],
        **more,
        "_SATYAPAN_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["satyapan", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_kinds_are_completed() -> None:
    assert completed("submit", "") == completed("kinds", "") == set(PLACES)
    assert completed("submit", "pass") == {"passport"}


def test_kinds_from_the_setting_are_completed_and_a_broken_one_hides_no_other() -> None:
    toys = {"PYTHONPATH": str(ROOT / "tests" / "support" / "toy_kinds")}
    loaded = {**toys, "SATYAPAN_KINDS": "toy_pan:TOY_PAN"}

    assert completed("kinds", "", **loaded) == {*PLACES, "toy_pan"}
    assert completed("kinds", "", SATYAPAN_KINDS="no.such:KIND") == set(PLACES)


def test_states_are_completed() -> None:
    assert {each.upper() for each in completed("list", "--state", "")} == set(State)
    assert {each.upper() for each in completed("inbox", "--state", "UN")} == {"UNMATCHED"}


def test_commands_and_options_are_completed() -> None:
    assert completed("re") == {"redrive", "reissue", "replay", "retire"}
    assert {"--state", "--limit", "--json"} <= completed("list", "--")


@pytest.mark.parametrize(("shell", "keyword"), [("bash", "complete"), ("zsh", "compdef")])
def test_the_documented_line_prints_a_completion_script(shell: str, keyword: str) -> None:
    env = {"PATH": os.environ["PATH"], "_SATYAPAN_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=True
    )

    assert keyword in done.stdout
    assert PROGRAM not in done.stdout


def test_completing_a_command_imports_no_command() -> None:
    program = """
import sys
import click
from click.shell_completion import BashComplete
from satyapan.cli.main import main
items = BashComplete(main, {}, "satyapan", "_SATYAPAN_COMPLETE").get_completions([], "")
assert {item.value for item in items} >= {"demo", "callbacks", "worker", "submit"}
print(sorted({"flask", "requests", "gunicorn", "worker.cli", "demo.cli"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"
