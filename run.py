#!/usr/bin/env python3
"""Run Satyapan on a machine that has only Python.

Creates `.venv` from the hashed lock when needed, then runs the command.
Uses the standard library only.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# Before any syntax or import that an old Python lacks, for a message instead of a traceback.
if sys.version_info < (3, 11):  # noqa: UP036 - it may be started with an older Python
    sys.exit(
        f"Satyapan needs Python 3.11 or newer; {sys.executable} is {platform.python_version()}. "
        "Start run.py with a newer one, e.g. python3.12 run.py"
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BASE = str(
    Path(sys.executable).resolve()
)  # the real program, also if .venv's link was used to start this
STAMP = VENV / "satyapan.stamp"
LOCK = ROOT / "requirements.lock"
DEMO_LOCK = ROOT / "requirements-demo.lock"
FAULTS = ROOT / ".satyapan" / "faults" / "long.jsonl"
FAULT_SUITES = ("tests/model/test_world.py", "tests/faults")
INPUTS = (ROOT / "pyproject.toml", ROOT / "satyapan" / "pyproject.toml")

USAGE = """\
usage: python3 run.py COMMAND [ARGUMENTS]

  demo [OPTIONS]    start everything here and run three verifications; see demo --help
  test [--all] [PYTEST ARGUMENTS]
                    lint, types, import contracts and the tests; --all includes the slow tests
  test --only-tests [PYTEST ARGUMENTS]
                    only the tests
  faults [--fresh] [PYTEST ARGUMENTS]
                    the fault suite's long form, about an hour; it continues where it was
                    interrupted, --fresh starts again. The tests include its short form
  exec COMMAND...   run any command in the environment, e.g. exec satyapan kinds

The first demo or exec installs the dependencies; the first test adds the development tools.
"""

CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports",)),
)

# Variables that would redirect Python or pip. The machine's package index settings are kept.
REDIRECTING = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")


class Refused(Exception):
    """Something must be corrected first; the text says what."""


def main(arguments: Sequence[str]) -> int:
    """Run one command, return its exit code; `demo` and `exec` replace this process."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(USAGE)
        return 0
    command, *rest = arguments
    if command not in {"demo", "test", "faults", "exec"} or (command == "exec" and not rest):
        print(USAGE, file=sys.stderr)
        return 2
    prepare(LOCK if command in {"test", "faults"} else DEMO_LOCK)
    if command == "test":
        return run_tests(rest)
    if command == "faults":
        return run_faults(rest)
    become(["satyapan", "demo", *rest] if command == "demo" else rest)
    return 0


# ---- the environment ----


def prepare(lock: Path) -> None:
    """Install what the lock lists into `.venv`, unless the stamp says that it is installed.

    The whole lock contains the demo's lock, so an environment of the whole one serves both.
    """
    if os.name != "posix":
        raise Refused("Satyapan runs on Linux and macOS; on Windows use it inside WSL.")
    wanted, whole = [home(), contents(lock)], [home(), contents(LOCK)]
    if read_stamp() in (wanted, whole):
        return
    with only_one_at_a_time():
        found = read_stamp()  # another run may have done it meanwhile
        if found not in (wanted, whole):
            install(lock, from_nothing=found[:1] != wanted[:1])
            STAMP.write_text("\n".join(wanted), encoding="utf-8")


def home() -> str:
    """Hash the folder and the Python: a virtual environment works with no other."""
    text = f"{ROOT}\n{sys.base_prefix}\n{platform.python_version()}"
    return hashlib.sha256(text.encode()).hexdigest()


def contents(lock: Path) -> str:
    """Hash what is to be installed; after a change, `.venv` is updated in place."""
    parts = [lock.name.encode(), *(path.read_bytes() for path in (lock, *INPUTS))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp() -> list[str]:
    """Return the stamp's two lines, or none if the environment is missing or incomplete."""
    try:
        return STAMP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold a file lock; the system releases it even if this process is killed."""
    import fcntl  # noqa: PLC0415 - missing on Windows, which `prepare` has refused

    with ROOT.joinpath(".venv.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is preparing .venv, waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(lock: Path, *, from_nothing: bool) -> None:
    """Create or update `.venv`. The stamp is missing meanwhile: an interrupted one is repeated."""
    begun = time.monotonic()
    what = "dependencies" if lock == DEMO_LOCK else "dependencies and development tools"
    extent = "all" if from_nothing else "missing"
    say(f"preparing .venv: {extent} {what} ...")
    STAMP.unlink(missing_ok=True)
    if from_nothing:
        create_venv()
    pip = find_pip()
    step(*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    # Installed as projects, because the command line finds its commands by entry points.
    step(*pip, "--no-deps", "--no-build-isolation", "-e", "satyapan", "-e", ".")
    say(f"ready after {time.monotonic() - begun:.0f} s")


def create_venv() -> None:
    """Create an empty `.venv`, with its own pip if this Python has ensurepip."""
    shutil.rmtree(VENV, ignore_errors=True)
    make = (BASE, "-m", "venv", "--clear", str(VENV))
    if not succeeds(*make):  # Debian's python3 has no ensurepip without python3-venv
        step(*make, "--without-pip")


def find_pip() -> tuple[str, ...]:
    """Return the command `pip install`, with the environment's own pip or this Python's."""
    own, borrowed = (
        (str(PYTHON), "-m", "pip"),
        (BASE, "-m", "pip", "--python", str(PYTHON)),
    )
    for pip in (own, borrowed):
        if succeeds(*pip, "--version"):
            return (*pip, "install", "--quiet", "--disable-pip-version-check")
    raise Refused(
        f"{sys.executable} has neither ensurepip nor a pip of at least version 22.3. "
        "Install one (Debian, Ubuntu: apt install python3-venv), then run this again."
    )


def succeeds(*command: str) -> bool:
    """Return True if a command succeeds; its output is ignored."""
    return not subprocess.run(
        command, env=environment(), capture_output=True, check=False
    ).returncode


def step(*command: str) -> None:
    """Run one step of the installation; print its output only if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise Refused(
            f"preparing .venv failed at: {' '.join(command)}\nCorrect the cause and run this again."
        )


def environment() -> dict[str, str]:
    """Return this process' environment with `.venv` first in the PATH."""
    kept = {name: value for name, value in os.environ.items() if name not in REDIRECTING}
    path = os.pathsep.join([str(PYTHON.parent), kept.get("PATH", os.defpath)])
    return kept | {"PIP_USER": "0", "VIRTUAL_ENV": str(VENV), "PATH": path}


# ---- the commands ----


def become(command: list[str]) -> None:
    """Replace this process by the command, which then gets signals and sets the exit code."""
    try:
        os.execvpe(command[0], command, environment())
    except OSError as problem:
        hint = "" if read_stamp() == [home(), contents(LOCK)] else "; run.py test installs more"
        raise Refused(f"can't run {command[0]}: {problem.strerror}{hint}") from problem


def run_tests(arguments: list[str]) -> int:
    """Run every check, also after a failure, then print each result."""
    own = {"--only-tests", "--all"}.intersection(arguments)
    pytest = pytest_command(
        [argument for argument in arguments if argument not in own],
        everything="--all" in own or bool(os.environ.get("CI")),
    )
    checks = () if "--only-tests" in own else CHECKS
    outcomes = [(name, *run_check(command)) for name, command in (*checks, ("tests", pytest))]
    print()
    for name, code, seconds in outcomes:
        print(f"{name:8} {'FAILED' if code else 'ok':6} {seconds:6.1f} s")
    return int(any(code for _, code, _ in outcomes))


def run_faults(arguments: Sequence[str]) -> int:
    """Run the long form in one process with its output shown; its log is kept in FAULTS."""
    if "--fresh" in arguments:
        FAULTS.unlink(missing_ok=True)
    rest = [argument for argument in arguments if argument != "--fresh"]
    os.environ["SATYAPAN_FAULTS"] = "long"
    say(f"the long form takes about an hour; its log is {FAULTS.relative_to(ROOT)}")
    named = any((ROOT / one.partition("::")[0]).exists() for one in rest)
    suites = () if named else FAULT_SUITES
    command = ("pytest", "--capture=no", *suites, *rest)
    return run_check(command)[0]


def pytest_command(arguments: Sequence[str], *, everything: bool) -> tuple[str, ...]:
    """Return pytest's command line; the tests of one file share a process and its fixtures."""
    alone = {"-n", "--pdb"}.intersection(arguments)
    spread = () if alone else ("-n", "auto", "--dist", "loadfile")
    return ("pytest", *spread, *(() if everything else ("-m", "not slow")), *arguments)


def run_check(command: Sequence[str]) -> tuple[int, float]:
    """Run one check and print its command line; return the exit code and the seconds."""
    print(f"\n$ {' '.join(command)}", flush=True)
    begun = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    return code, time.monotonic() - begun


def say(text: str) -> None:
    """Print a message, on stderr."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refusal:
        say(str(refusal))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
