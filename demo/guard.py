"""Outlive a supervisor just long enough to end what it left behind.

Run as a script with a pipe from the supervisor as its input: `+PGID` and `-PGID` lines say which
process groups are alive. The pipe ends with the supervisor, however that dies, and then every group
still listed is killed: also grandchildren, which no parent-death signal reaches, and also on
systems that have no such signal.
"""

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress


def main(lines: Iterable[str]) -> None:
    """Keep the list of groups until the lines end, then kill the groups that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it must be the last to go
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.stdin)
