"""The supervisor with small programs: stop order, early deaths, and no process left behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from demo.supervisor import Child, ChildFailed, Supervisor
from tests.support.eventually import eventually
from tests.support.process_groups import live_members

PYTHON = [sys.executable, "-c"]
WAITS = "import time; print('up'); time.sleep(60)"
# A process and its child; both ignore SIGTERM.
IGNORES_SIGTERM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("up")
time.sleep(60)
"""
LOGS_SIGTERM = IGNORES_SIGTERM.replace("signal.SIG_IGN", "lambda *_: print('received')")
STOPS_ON_SIGTERM = """
import signal, sys, time
def stop(*_):
    print("stopped at", time.monotonic())
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("up")
time.sleep(60)
"""


def supervise(processes: Supervisor, tmp_path: Path, program: str) -> tuple[Child, int]:
    """Start a process that supervises the program; return it and the program's process group."""
    command = [
        sys.executable,
        "-m",
        "tests.support.supervise_command",
        str(tmp_path / "inner"),
        "up",
    ]
    child = processes.start("supervising", [*command, *PYTHON, program], ready=r"supervising (\d+)")
    assert child.ready
    return child, int(child.ready[1])


def stop_time(child: Child) -> float:
    return float(child.log.read_text().split("stopped at")[1])


def test_a_ready_pattern_captures_what_the_child_prints(processes: Supervisor) -> None:
    child = processes.start("web", [*PYTHON, "print('port 4711')"], ready=r"port (?P<port>\d+)")

    assert child.ready
    assert child.ready["port"] == "4711"


def test_a_ready_check_is_repeated_until_it_is_true(processes: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"

    processes.start("toucher", [*PYTHON, program], ready=mark.exists)

    assert mark.exists()


def test_the_output_of_an_earlier_child_does_not_make_a_later_one_ready(
    processes: Supervisor,
) -> None:
    processes.start("child", [*PYTHON, WAITS], ready="up")
    processes.kill("child")

    with pytest.raises(ChildFailed, match="not ready"):
        processes.start("child", [*PYTHON, "import time; time.sleep(60)"], ready="up", timeout=0.5)


def test_a_child_gets_the_given_environment(processes: Supervisor) -> None:
    program = "import os; print('has', sorted(os.environ))"

    child = processes.start("child", [*PYTHON, program], env={"ONLY": "1"}, ready=r"has (.*)")

    assert child.ready
    assert "ONLY" in child.ready[1]
    assert "HOME" not in child.ready[1]


def test_a_name_cannot_be_used_twice_while_its_child_runs(processes: Supervisor) -> None:
    processes.start("child", [*PYTHON, WAITS])

    with pytest.raises(ValueError, match="child was started already"):
        processes.start("child", [*PYTHON, WAITS])


def test_a_child_that_ends_before_it_is_ready_is_named_with_its_last_output(
    processes: Supervisor,
) -> None:
    with pytest.raises(ChildFailed, match=r"(?s)web ended with code 3.*no such module") as failure:
        processes.start(
            "web", [*PYTHON, "print('no such module'); raise SystemExit(3)"], ready="up"
        )

    assert "up" not in str(failure.value)
    processes.check()


def test_a_command_that_does_not_exist_is_named(processes: Supervisor) -> None:
    with pytest.raises(ChildFailed, match="can't run no-such-command"):
        processes.start("web", ["no-such-command"], ready="up")


def test_the_end_of_a_ready_child_is_noticed(processes: Supervisor) -> None:
    processes.start("worker", [*PYTHON, "print('up'); print('bye')"], ready="up")

    with pytest.raises(ChildFailed, match=r"(?s)worker ended with code 0.*bye"):
        processes.watch()


def test_children_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        children = [
            supervisor.start(name, [*PYTHON, STOPS_ON_SIGTERM], ready="up")
            for name in ("server", "worker", "web")
        ]

    server, worker, web = (stop_time(child) for child in children)
    assert web < worker < server


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_with_its_group(
    tmp_path: Path,
) -> None:
    with Supervisor(tmp_path, grace=0.3) as supervisor:
        child = supervisor.start("ignoring", [*PYTHON, IGNORES_SIGTERM], ready="up")
        assert len(live_members(child.pid)) == 2

    eventually(lambda: not live_members(child.pid))  # a killed grandchild takes a moment to go
    assert child.process.returncode == -signal.SIGKILL


def test_an_exception_leaves_no_process_behind(tmp_path: Path) -> None:
    groups = []

    def fail() -> None:
        with Supervisor(tmp_path, grace=0.3) as supervisor:
            groups.append(supervisor.start("child", [*PYTHON, IGNORES_SIGTERM], ready="up").pid)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    eventually(lambda: not live_members(groups[0]))


def test_killing_one_child_leaves_the_others(processes: Supervisor) -> None:
    processes.start("server", [*PYTHON, WAITS], ready="up")
    worker = processes.start("worker", [*PYTHON, IGNORES_SIGTERM], ready="up")

    code = processes.kill("worker")

    assert code == -signal.SIGKILL
    eventually(lambda: not live_members(worker.pid))
    processes.check()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
)
def test_a_signal_to_the_supervisor_stops_the_children_gracefully(
    processes: Supervisor, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    supervising, group = supervise(processes, tmp_path, STOPS_ON_SIGTERM)

    os.kill(supervising.pid, number)

    assert supervising.process.wait(30) == code
    eventually(lambda: not live_members(group))
    assert "stopped at" in (tmp_path / "inner" / "child.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_child_receives_a_signal_that_its_parent_ignores(
    processes: Supervisor, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        program = f"import signal; signal.raise_signal({int(number)})"
        child = processes.start("child", [*PYTHON, program])
    finally:
        signal.signal(number, before)

    assert child.process.wait(30) == -number


def test_ctrl_c_works_even_if_the_shell_set_it_to_be_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), Supervisor(tmp_path):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_hang_up_stays_ignored_under_nohup(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Supervisor(tmp_path):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_kills_at_once(processes: Supervisor, tmp_path: Path) -> None:
    supervising, group = supervise(processes, tmp_path, LOGS_SIGTERM)
    log = tmp_path / "inner" / "child.log"

    os.kill(supervising.pid, signal.SIGINT)
    eventually(lambda: "received" in log.read_text())
    os.kill(supervising.pid, signal.SIGINT)

    supervising.process.wait(30)  # less than the grace period of 100 s
    eventually(lambda: not live_members(group))


def test_no_child_survives_a_killed_supervisor(processes: Supervisor, tmp_path: Path) -> None:
    supervising, group = supervise(processes, tmp_path, IGNORES_SIGTERM)
    assert len(live_members(group)) == 2

    os.kill(supervising.pid, signal.SIGKILL)

    eventually(lambda: not live_members(group))
