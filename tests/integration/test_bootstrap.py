"""run.py prepares a copy of the project that has no environment and a space in its path."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

PYTHON = str(Path(sys.executable).resolve())  # not our environment's
# Other tests write these meanwhile; copying fails at a file that is deleted during the copy.
IGNORED = (".git", ".venv*", ".*_cache", "__pycache__", ".hypothesis", ".satyapan", "test-output")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fresh") / "a checkout"
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*IGNORED))
    return place


def run_there(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "run.py", "exec", *command],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_run_prepares_everything_and_the_second_starts_at_once(copy: Path) -> None:
    first = run_there(copy, "satyapan", "--help")
    second = run_there(copy, "python", "-c", "import satyapan; print(satyapan.__file__)")

    assert first.returncode == 0, first.stderr
    assert "preparing .venv" in first.stderr
    assert {"demo", "sandbox", "worker", "callbacks", "check"} <= set(first.stdout.split())
    assert second.stderr == ""
    assert Path(second.stdout.strip()).is_relative_to(copy)
