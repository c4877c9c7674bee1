"""Supervise one command until told to end, run as `supervised LOGS READY COMMAND...`.

The grace is longer than any test waits: what it takes to the end of it is not seen.
"""

import sys
from pathlib import Path

from demo.supervisor import Supervisor


def main(logs: str, ready: str, *command: str) -> None:
    """Start the command, say its group, and wait for the end."""
    with Supervisor(Path(logs), grace=100) as supervisor:
        child = supervisor.start("child", command, ready=ready)
        print(f"supervising {child.pid}")
        supervisor.watch()


if __name__ == "__main__":
    main(*sys.argv[1:])
