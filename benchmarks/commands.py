"""Count the Redis commands of each process, as the server's MONITOR reports them.

MONITOR slows a server down, so nothing is timed while it runs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SET_UP: Final = frozenset({"HELLO", "CLIENT", "SELECT", "AUTH", "PING", "INFO", "SCRIPT"})
"""Commands that belong to connections, not to work: sent when one is opened or was idle."""
_SWEPT: Final = (":due", ":inbox-due", ":queues", ":swept")
_END: Final = "ECHO the-end"
_KEYED: Final = 3
"""Words of EVALSHA before its first key: its name, the digest, the number of keys."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of commands: by a worker's processes, by others, by sweeps, and inside scripts."""

    worker: int
    producer: int
    sweeps: int
    inside: int


def watched(client: Any, work: Callable[[], object]) -> list[Mapping[str, Any]]:
    """Return all commands that a server received during `work`, as redis-py's monitor has them."""
    with client.monitor() as monitor:
        work()
        client.execute_command(*_END.split())
        found: list[Mapping[str, Any]] = []
        for command in monitor.listen():
            if command["command"] == _END:
                return found
            found.append(command)
    return found


def count(commands: Iterable[Mapping[str, Any]], worker: Iterable[int]) -> Counts:
    """Count commands; `worker` holds the local ports of the worker's connections."""
    ports = {str(port) for port in worker}
    found: Counter[str] = Counter()
    inside = "inside"
    for one in commands:
        if one["client_type"] == "lua":
            found[inside] += 1
            continue
        whose = _whose(
            one["command"].split(), "worker" if one["client_port"] in ports else "producer"
        )
        inside = "inside sweeps" if whose == "sweeps" else "inside"
        found[whose] += 1
    return Counts(found["worker"], found["producer"], found["sweeps"], found["inside"])


def _whose(words: list[str], sender: str) -> str:
    """Return the field of Counts for a command, or "" if it belongs to a connection."""
    if not words or words[0].upper() in _SET_UP:
        return ""
    at = _KEYED if words[0].upper() in {"EVALSHA", "EVAL"} else 1
    return "sweeps" if words[at : at + 1] and words[at].endswith(_SWEPT) else sender
