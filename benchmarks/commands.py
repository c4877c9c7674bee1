"""Which Redis commands were sent, and by whom: told by the server itself, command by command.

MONITOR slows a server down, so nothing is timed while it is on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SET_UP: Final = frozenset({"HELLO", "CLIENT", "SELECT", "AUTH", "PING", "INFO", "SCRIPT"})
"""What connections cost and not work: sent when one is opened, or lay idle."""
_SWEPT: Final = (":due", ":inbox-due", ":queues", ":swept")
_END: Final = "ECHO the-end"
_KEYED: Final = 3
"""Words of EVALSHA before its first key: its name, the script, how many keys."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many commands: of a worker's tree, of everybody else, of sweeps, and inside scripts."""

    worker: int
    producer: int
    sweeps: int
    inside: int


def watched(client: Any, work: Callable[[], object]) -> list[Mapping[str, Any]]:
    """List all commands that a server took during some work, as redis-py's monitor tells them."""
    with client.monitor() as monitor:
        work()
        client.execute_command(*_END.split())
        found: list[Mapping[str, Any]] = []
        for told in monitor.listen():
            if told["command"] == _END:
                return found
            found.append(told)
    return found


def count(told: Iterable[Mapping[str, Any]], worker: Iterable[int]) -> Counts:
    """Count; `worker` are the local ports of its connections."""
    ports = {str(port) for port in worker}
    found: Counter[str] = Counter()
    inside = "inside"
    for one in told:
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
    """Name the account of a command; what connections cost has none."""
    if not words or words[0].upper() in _SET_UP:
        return ""
    at = _KEYED if words[0].upper() in {"EVALSHA", "EVAL"} else 1
    return "sweeps" if words[at : at + 1] and words[at].endswith(_SWEPT) else sender
