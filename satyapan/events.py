"""Events for producers: CloudEvents 1.0 on a Redis stream, one stream for each producer.

An event carries ids and codes. The answer itself is read from the row (`get`): it is stored
in one place only.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from satyapan.canonical import canonical
from satyapan.names import EVENT_PREFIX
from satyapan.records import Row, State

_DATA: Final = ("kind", "state", "status", "reason", "generation", "parent")
"""The fields of a row that its events carry."""


@dataclass(frozen=True)
class Event:
    """One change of one verification. `id` is stable: the same change never has two ids."""

    id: str
    type: str
    verification_id: str
    kind: str
    state: State
    status: str
    reason: str
    generation: int
    parent: str
    time: str

    @property
    def name(self) -> str:
        """Return the short name of the change: done, parked, link_ready ..."""
        return self.type.removeprefix(EVENT_PREFIX)

    @classmethod
    def parse(cls, raw: bytes) -> "Event":
        """Read an event from the stream.

        Raises:
            ValueError: not an event of ours, or one that only a newer version knows.
        """
        try:
            envelope = json.loads(raw)
            data: dict[str, Any] = {name: envelope["data"][name] for name in _DATA}
            return cls(
                id=envelope["id"],
                type=envelope["type"],
                verification_id=envelope["subject"],
                time=envelope["time"],
                **data | {"state": State(data["state"])},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an event: {type(error).__name__}") from error


def write_event(row: Row, change: str, now_ms: int) -> bytes:
    """Write the CloudEvent of a change; `row` is as it will be committed, its `seq` counted up."""
    envelope = {
        "specversion": "1.0",
        "id": f"{row.id}.{row.seq}",
        "source": "satyapan",
        "type": EVENT_PREFIX + change,
        "subject": row.id,
        "time": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": {name: getattr(row, name) for name in _DATA},
    }
    return canonical(envelope)
