"""End children when the process that started them dies, however it dies.

Run as a script, in one of two modes:

    parent_death.py exec PARENT_PID COMMAND...

replaces itself by the command, which the kernel kills when its parent dies (on Linux only). A
preexec_fn would do the same inside a forked copy of a parent that may have threads, which can hang;
this is a new interpreter. The kernel counts the *thread* that started the child as its parent.

    parent_death.py watch

reads `+PGID` and `-PGID` lines from a pipe: the process groups that are alive. The pipe closes when
the supervisor dies. Then every group still listed is killed: also grandchildren, which get no
parent-death signal, and also on systems that have no such signal.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def exec_with_parent(parent: int, command: list[str]) -> None:
    """Become the command, to be killed when `parent` dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was set
            sys.exit(1)
    # A shell's background job inherits the first two as ignored; below nohup, the third.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as problem:
        sys.exit(f"can't run {command[0]}: {problem.strerror}")


def kill_groups_at_end(lines: Iterable[str]) -> None:
    """Keep the list of groups until the lines end, then kill the groups that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it must end last
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main(mode: str, *arguments: str) -> None:
    """Run one of the two modes."""
    if mode == "exec":
        exec_with_parent(int(arguments[0]), list(arguments[1:]))
    else:
        kill_groups_at_end(sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
