"""Imports have no side effects: no environment read, socket, file, process or thread."""

import subprocess
import sys

from tests.support.project import ROOT, modules


def import_alone(*names: str) -> str:
    """Import modules in a new process with an empty environment; return what it reports."""
    script = ROOT / "tests" / "support" / "import_audit.py"
    done = subprocess.run(
        [sys.executable, "-B", str(script), *names],
        cwd=ROOT,
        env={},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_importing_every_module_does_nothing() -> None:
    assert import_alone(*modules()) == ""


def test_a_module_with_side_effects_is_detected() -> None:
    report = import_alone("tests.support.import_side_effects")

    for act in ("socket.__new__", "reads HOME", "starts a thread", "subprocess.Popen"):
        assert f"tests/support/import_side_effects.py: {act}" in report
