"""run.py without an installation: which commands it starts, and how it reports them."""

import sys
from pathlib import Path

import pytest

import run

DEMO_ONLY, COMPLETE = "requirements-demo", "requirements"


@pytest.fixture
def nothing_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "prepare", lambda _lock: None)


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout that holds only two locks and pyproject.toml."""
    for name in ("requirements.lock", "requirements-demo.lock", "pyproject.toml"):
        tmp_path.joinpath(name).write_text(name)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(run, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(run, "DEMO_LOCK", tmp_path / "requirements-demo.lock")
    monkeypatch.setattr(run, "INPUTS", (tmp_path / "pyproject.toml",))
    return tmp_path


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Record each installation: its lock, and whether it starts from nothing."""
    recorded: list[tuple[str, bool]] = []

    def record(lock: Path, *, from_nothing: bool) -> None:
        recorded.append((lock.stem, from_nothing))

    monkeypatch.setattr(run, "install", record)
    return recorded


def test_without_a_command_the_usage_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 0

    assert "run.py COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["tset"], ["exec"]])
def test_a_wrong_command_is_an_error(arguments: list[str]) -> None:
    assert run.main(arguments) == 2


def test_a_prepared_environment_is_not_installed_again(
    checkout: Path, installs: list[tuple[str, bool]]
) -> None:
    run.prepare(run.LOCK)
    run.prepare(run.LOCK)

    assert installs == [(COMPLETE, True)]


def test_the_demo_installs_its_own_lock_and_the_tests_install_the_rest(
    checkout: Path, installs: list[tuple[str, bool]]
) -> None:
    run.prepare(run.DEMO_LOCK)
    run.prepare(run.LOCK)
    run.prepare(run.DEMO_LOCK)

    assert installs == [(DEMO_ONLY, True), (COMPLETE, False)]


def test_a_changed_lock_is_installed_on_top(
    checkout: Path, installs: list[tuple[str, bool]]
) -> None:
    run.prepare(run.LOCK)
    checkout.joinpath("requirements.lock").write_text("changed")
    run.prepare(run.LOCK)

    assert installs == [(COMPLETE, True), (COMPLETE, False)]


def test_a_moved_checkout_is_installed_from_nothing(
    checkout: Path, installs: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.prepare(run.LOCK)
    monkeypatch.setattr(run, "ROOT", checkout / ".." / checkout.name)
    run.prepare(run.LOCK)

    assert installs == [(COMPLETE, True), (COMPLETE, True)]


def test_an_interrupted_installation_leaves_no_stamp(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "find_pip", interrupted)
    run.STAMP.write_text(f"{run.home()}\nan older lock")

    with pytest.raises(KeyboardInterrupt):
        run.prepare(run.LOCK)

    assert not run.STAMP.exists()


def test_every_check_runs_and_one_failure_fails_the_command(
    nothing_to_prepare: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "CHECKS", (("bad", (sys.executable, "-c", "raise SystemExit(3)")),))
    tests = (sys.executable, "-c", "print('tests ran')")
    monkeypatch.setattr(run, "pytest_command", lambda *_, **__: tests)

    code = run.main(["test"])

    shown = capfd.readouterr().out
    assert code == 1
    assert "tests ran" in shown
    assert [line.split()[:2] for line in shown.splitlines()[-2:]] == [
        ["bad", "FAILED"],
        ["tests", "ok"],
    ]


def test_pytest_gets_further_arguments_and_skips_slow_tests() -> None:
    assert run.pytest_command(["-k", "x"], everything=False)[-4:] == ("-m", "not slow", "-k", "x")
    assert "not slow" not in run.pytest_command([], everything=True)


def test_the_long_fault_suite_continues_or_starts_over(
    nothing_to_prepare: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[tuple[str, ...]] = []

    def record(command: tuple[str, ...]) -> tuple[int, float]:
        commands.append(command)
        return 0, 0.0

    monkeypatch.setattr(run, "run_check", record)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "FAULTS", tmp_path / "long.jsonl")
    monkeypatch.setenv("SATYAPAN_FAULTS", "")
    run.FAULTS.write_text("{}")
    tmp_path.joinpath("some.py").touch()

    assert run.main(["faults", "-k", "storm"]) == 0
    assert run.FAULTS.exists()
    assert run.main(["faults", "--fresh"]) == 0
    assert run.main(["faults", "some.py::test_one"]) == 0

    assert not run.FAULTS.exists()
    whole_suite = ("pytest", "--capture=no", *run.FAULT_SUITES)
    assert commands[:2] == [(*whole_suite, "-k", "storm"), whole_suite]
    assert commands[2] == ("pytest", "--capture=no", "some.py::test_one")
    assert run.environment()["SATYAPAN_FAULTS"] == "long"


def test_a_debugger_runs_without_parallel_test_processes() -> None:
    assert "-n" not in run.pytest_command(["--pdb"], everything=True)


def test_the_environment_is_first_on_the_path_and_overrides_the_users_pip_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PIP_USER", "1")

    environment = run.environment()

    assert environment["PATH"].startswith(str(run.PYTHON.parent))
    assert "PYTHONPATH" not in environment
    assert environment["PIP_USER"] == "0"


def test_a_missing_command_is_named() -> None:
    with pytest.raises(run.Refused, match="can't run no-such-command"):
        run.become(["no-such-command"])
