"""The examples of kinds, with times that the vendor still accepts."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from satyapan.kinds import Kind


def fresh_example(kind: Kind) -> dict[str, Any]:
    """Return a request that the vendor's test data answers, now."""
    request = deepcopy({**kind.example})
    for operation in kind.operations.values():
        for path in operation.max_age_s:
            *outer, last = path.split(".")
            place = request
            for name in outer:
                place = place[name]
            place[last] = datetime.now(UTC).isoformat(timespec="seconds")
    return request
