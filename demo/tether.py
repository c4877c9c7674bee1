"""Become a command that dies with the process that started it (on Linux; elsewhere just become it).

Run as a script between fork and exec: `tether.py PARENT_PID COMMAND...`. A preexec_fn would do the
same inside a forked copy of a parent that may have threads, which is how such children hang; here
everything happens in a new interpreter. The kernel counts the *thread* that started the child as
its parent.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Have the kernel send SIGKILL at the parent's death, then become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            sys.exit(1)
    # A shell's background jobs, and all below, ignore the first two; below nohup, the third.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as problem:
        sys.exit(f"can't run {command[0]}: {problem.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
