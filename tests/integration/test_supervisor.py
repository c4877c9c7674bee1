"""Servers that start processes of their own end when their supervisor is killed."""

import os
import signal
import sys
from pathlib import Path

import pytest

from demo.supervisor import Supervisor
from tests.support.eventually import eventually
from tests.support.process_groups import live_members

PREFORK = ["-m", "tests.support.transport_worker", "{url}", "prefork"]
GUNICORN = ["-m", "gunicorn", "tests.support.wsgi:application", "--bind", "127.0.0.1:0", "-w", "2"]


@pytest.mark.parametrize(
    ("command", "ready"),
    [(PREFORK, r"celery@\S+ ready"), (GUNICORN, r"(?s)(Booting worker.*){2}")],
    ids=["prefork", "gunicorn"],
)
def test_pool_processes_do_not_survive_a_killed_supervisor(
    processes: Supervisor, tmp_path: Path, redis_url: str, command: list[str], ready: str
) -> None:
    supervised = [
        sys.executable,
        "-m",
        "tests.support.supervise_command",
        str(tmp_path / "inner"),
        ready,
    ]
    child = processes.start(
        "supervising",
        [*supervised, sys.executable, *(word.format(url=redis_url) for word in command)],
        ready=r"supervising (\d+)",
    )
    assert child.ready
    group = int(child.ready[1])
    assert len(live_members(group)) >= 3

    os.kill(child.pid, signal.SIGKILL)

    eventually(lambda: not live_members(group))
