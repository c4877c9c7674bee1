#!/usr/bin/env python3
"""Run Satyapan on a machine that has nothing but Python.

Makes `.venv` from the hashed lock when needed, then starts what was asked for.
Standard library only.
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

# Before anything an old Python trips over, so that it gives an answer and not a traceback.
if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this may have an older one
    sys.exit(
        f"Satyapan needs Python 3.11 or newer; {sys.executable} is {platform.python_version()}. "
        "Start run.py with a newer one, e.g. python3.12 run.py"
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BASE = str(Path(sys.executable).resolve())  # not .venv's own link, if this was started with it
STAMP = VENV / "satyapan.stamp"
LOCK = ROOT / "requirements.lock"
DEMO_LOCK = ROOT / "requirements-demo.lock"
FAULTS = ROOT / ".satyapan" / "faults" / "long.jsonl"
FAULT_SUITES = ("tests/model/test_world.py", "tests/faults")
INPUTS = (ROOT / "pyproject.toml", ROOT / "satyapan" / "pyproject.toml")

USAGE = """\
usage: python3 run.py COMMAND [ARGUMENTS]

  demo [OPTIONS]    start everything here and watch three verifications run; demo --help tells more
  test [--all] [PYTEST ARGUMENTS]
                    lint, types, import contracts and the tests; --all takes the slow tests too
  test --only-tests [PYTEST ARGUMENTS]
                    the tests alone
  faults [--fresh] [PYTEST ARGUMENTS]
                    the fault suite's long form, about an hour; goes on where it was interrupted,
                    --fresh begins anew. Its short form is among the tests
  exec COMMAND...   run any command in the environment, e.g. exec satyapan kinds

The first demo or exec installs what runs; the first test adds the development tools.
"""

CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports",)),
)

# What would send Python or pip elsewhere. Package index settings stay: they are the machine's.
AWAY = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")


class Refused(Exception):
    """Something a person has to mend first; the text says what."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line, return its exit code; `demo` and `exec` replace this process."""
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
    """Bring `.venv` to what the lock says; do nothing if the stamp says that it is there.

    The whole lock holds all that the demo's does, so it is enough for both.
    """
    if os.name != "posix":
        raise Refused("Satyapan runs on Linux and macOS; on Windows use it inside WSL.")
    wanted, whole = [home(), contents(lock)], [home(), contents(LOCK)]
    if read_stamp() in (wanted, whole):
        return
    with only_one_at_a_time():
        found = read_stamp()  # another run may just have finished the work
        if found not in (wanted, whole):
            install(lock, from_nothing=found[:1] != wanted[:1])
            STAMP.write_text("\n".join(wanted), encoding="utf-8")


def home() -> str:
    """Name the place and the Python: a virtual environment survives the change of neither."""
    text = f"{ROOT}\n{sys.base_prefix}\n{platform.python_version()}"
    return hashlib.sha256(text.encode()).hexdigest()


def contents(lock: Path) -> str:
    """Name what is to be installed; a change of this is an update in place."""
    parts = [lock.name.encode(), *(path.read_bytes() for path in (lock, *INPUTS))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp() -> list[str]:
    """Return the stamp's two lines, or nothing if there is no whole environment."""
    try:
        return STAMP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold a file lock; the system releases it even if this process is killed."""
    import fcntl  # noqa: PLC0415 - not there on Windows, which has been told so by now

    with ROOT.joinpath(".venv.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is preparing .venv, waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(lock: Path, *, from_nothing: bool) -> None:
    """Make or update `.venv`; without a stamp meanwhile, so an interrupted one is made again."""
    begun = time.monotonic()
    what = "what runs" if lock == DEMO_LOCK else "what runs and the development tools"
    say(f"preparing .venv: {what}, {'from nothing' if from_nothing else 'what is missing'} ...")
    STAMP.unlink(missing_ok=True)
    if from_nothing:
        create_venv()
    pip = find_pip()
    step(*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    # As installed projects, not just a path: the command line finds its commands by entry points.
    step(*pip, "--no-deps", "--no-build-isolation", "-e", "satyapan", "-e", ".")
    say(f"ready after {time.monotonic() - begun:.0f} s")


def create_venv() -> None:
    """Make an empty `.venv`, with a pip of its own if this Python can."""
    shutil.rmtree(VENV, ignore_errors=True)
    make = (BASE, "-m", "venv", "--clear", str(VENV))
    if not succeeds(*make):  # Debian's python3 has no ensurepip unless python3-venv is there
        step(*make, "--without-pip")


def find_pip() -> tuple[str, ...]:
    """Return how to say `pip install`: with the environment's own pip, else with this Python's."""
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
    """Say whether a command ends well, whatever it prints."""
    return not subprocess.run(
        command, env=environment(), capture_output=True, check=False
    ).returncode


def step(*command: str) -> None:
    """Run one step of the installation quietly; if it fails, show all it said."""
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
            f"preparing .venv failed at: {' '.join(command)}\nMend the cause, run this again."
        )


def environment() -> dict[str, str]:
    """Return this process's environment with `.venv` first."""
    kept = {name: value for name, value in os.environ.items() if name not in AWAY}
    path = os.pathsep.join([str(PYTHON.parent), kept.get("PATH", os.defpath)])
    return kept | {"PIP_USER": "0", "VIRTUAL_ENV": str(VENV), "PATH": path}


# ---- the commands ----


def become(command: list[str]) -> None:
    """Replace this process by the command, so that signals and the exit code are its own."""
    try:
        os.execvpe(command[0], command, environment())
    except OSError as problem:
        hint = "" if read_stamp() == [home(), contents(LOCK)] else "; run.py test brings the rest"
        raise Refused(f"can't run {command[0]}: {problem.strerror}{hint}") from problem


def run_tests(arguments: list[str]) -> int:
    """Run every check, also after one that failed, then say how each went."""
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
    """Run the long form in one process, shown as it goes; its notes are kept in FAULTS."""
    if "--fresh" in arguments:
        FAULTS.unlink(missing_ok=True)
    rest = [argument for argument in arguments if argument != "--fresh"]
    os.environ["SATYAPAN_FAULTS"] = "long"
    say(f"the long form takes about an hour; its notes are in {FAULTS.relative_to(ROOT)}")
    named = any((ROOT / one.partition("::")[0]).exists() for one in rest)
    suites = () if named else FAULT_SUITES
    command = ("pytest", "--capture=no", *suites, *rest)
    return run_check(command)[0]


def pytest_command(arguments: Sequence[str], *, everything: bool) -> tuple[str, ...]:
    """Return pytest's command line; one file's tests share a process, and so their fixtures."""
    alone = {"-n", "--pdb"}.intersection(arguments)
    spread = () if alone else ("-n", "auto", "--dist", "loadfile")
    return ("pytest", *spread, *(() if everything else ("-m", "not slow")), *arguments)


def run_check(command: Sequence[str]) -> tuple[int, float]:
    """Run one check, showing its command line; return the exit code and the seconds it took."""
    print(f"\n$ {' '.join(command)}", flush=True)
    begun = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    return code, time.monotonic() - begun


def say(text: str) -> None:
    """Tell the person what goes on, apart from the command's own output."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refusal:
        say(str(refusal))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
