"""The examples of kinds, with times that the vendor still accepts."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from satyapan.kinds import Kind


def fresh_example(kind: Kind) -> dict[str, Any]:
    """Return a request that the vendor's test data answers, now; the caller may change it."""
    return deepcopy(kind.example_at(datetime.now(UTC)))
