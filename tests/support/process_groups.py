"""Inspect process groups."""

import subprocess


def live_members(group: int) -> set[int]:
    """Return the live processes of a group; zombies are not alive."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return {int(pid) for pid, pgid, stat in rows if int(pgid) == group and stat[0] != "Z"}
