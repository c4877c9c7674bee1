"""Satyapan, all submitted at once."""

from typing import Any

from benchmarks.contenders.ours import WORKER, client, wait
from satyapan import Verification

__all__ = ["WORKER", "submit", "wait"]


def submit(requests: list[dict[str, Any]]) -> list[str]:
    """Submit all in one bulk; a failed one has its error in its place."""
    items = [
        {"verification_id": request.pop("verification_id"), "request": request}
        for request in requests
    ]
    done = client().submit_many("passport", items)
    return [one.id for one in done if isinstance(one, Verification)]
