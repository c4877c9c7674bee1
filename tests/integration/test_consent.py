"""What a person shares decides the reason with which a journey ends."""

from typing import Any

import pytest

from satyapan.records import State
from tests.support.worker_harness import Harness

BOTH = ["AADHAAR", "PAN"]


@pytest.mark.parametrize(
    ("person", "reason", "documents"),
    [
        ({"documents": BOTH}, "", {"AADHAAR", "PAN"}),
        ({"documents": ["PAN"]}, "partial", {"PAN"}),
        ({"documents": []}, "nothing_shared", set()),
        ({"person": {"eaadhaar": "N"}}, "nothing_shared", set()),
        ({"person": {"name_pan_card": "OTHER"}}, "partial", {"AADHAAR", "PAN"}),
    ],
    ids=["all", "some", "no box ticked", "null", "one can't be fetched"],
)
def test_the_reason_says_what_is_missing(
    harness: Harness, person: dict[str, Any], reason: str, documents: set[str]
) -> None:
    one = harness.submit("digilocker", document_requested=BOTH)
    harness.vendor.post(f"journeys/{one}", decision="allow", **person)

    ended = harness.settle(one)

    assert (ended.state, ended.status, ended.reason) == (State.DONE, "AUTHENTICATED", reason)
    assert set((ended.result or {})["documents"]) == documents
    (event,) = [e for e in harness.verifications.events("test", block=0.01) if e.name == "done"]
    assert event.reason == reason
