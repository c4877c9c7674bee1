"""Supervise one command until a signal, run as `supervise_command LOGS READY COMMAND...`.

The grace period is longer than any test waits, so a test sees whether the command ends by itself.
"""

import sys
from pathlib import Path

from demo.supervisor import Supervisor


def main(logs: str, ready: str, *command: str) -> None:
    """Start the command, print its group, and wait for the end."""
    with Supervisor(Path(logs), grace=100) as supervisor:
        child = supervisor.start("child", command, ready=ready)
        print(f"supervising {child.pid}")
        supervisor.watch()


if __name__ == "__main__":
    main(*sys.argv[1:])
