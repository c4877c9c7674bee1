"""Events are CloudEvents that carry ids and codes, and no private data."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.events import Event, write_event
from satyapan.records import Row, State

NOW = 1_790_000_000_123
ROW = Row(
    id="order-17",
    kind="passport",
    state=State.DONE,
    status="VALID",
    generation=2,
    parent="link-1",
    seq=3,
    reference="canary-reference",
    reply_to="canary-producer",
    digest="canary-digest",
    request={"name": "canary-request"},
    draft={"name": "canary-draft"},
    result={"name": "canary-result"},
    link="https://canary-link.example",
)
CHANGES = [
    "link_ready",
    "progress",
    "reissued",
    "redriven",
    "done",
    "refused",
    "expired",
    "denied",
    "failed",
    "lost",
    "parked",
]


def envelope(row: Row = ROW, change: str = "done", now: int = NOW) -> dict[str, Any]:
    content = json.loads(write_event(row, change, now))
    assert isinstance(content, dict)
    return content


def test_an_event_is_a_cloud_event() -> None:
    written = envelope()

    data = written.pop("data")
    assert written == {
        "specversion": "1.0",
        "id": "order-17.3",
        "source": "satyapan",
        "type": "in.satyapan.verification.done",
        "subject": "order-17",
        "time": "2026-09-21T14:13:20.123+00:00",
        "datacontenttype": "application/json",
    }
    assert data == {
        "kind": "passport",
        "state": "DONE",
        "status": "VALID",
        "reason": "",
        "generation": 2,
        "parent": "link-1",
    }


def test_an_event_carries_no_private_field() -> None:
    assert b"canary" not in write_event(ROW, "done", NOW)


@pytest.mark.parametrize("change", CHANGES)
def test_a_written_event_is_parsed_back(change: str) -> None:
    event = Event.parse(write_event(ROW, change, NOW))

    assert event == Event(
        id="order-17.3",
        type=f"in.satyapan.verification.{change}",
        verification_id="order-17",
        kind="passport",
        state=State.DONE,
        status="VALID",
        reason="",
        generation=2,
        parent="link-1",
        time="2026-09-21T14:13:20.123+00:00",
    )
    assert event.name == change


def test_one_change_has_one_id_and_the_same_bytes() -> None:
    assert write_event(ROW, "done", NOW) == write_event(ROW, "done", NOW)
    assert envelope(replace(ROW, seq=4))["id"] != envelope()["id"]


@given(st.integers(0, 4_000_000_000_000))
def test_the_time_is_in_utc_and_to_the_millisecond(now: int) -> None:
    time = datetime.fromisoformat(envelope(now=now)["time"])

    assert time.tzinfo == UTC
    assert abs(time.timestamp() * 1000 - now) < 1


def test_fields_that_a_newer_version_added_are_ignored() -> None:
    written = envelope()
    written["dataschema"] = "urn:new"
    written["data"]["colour"] = "blue"

    assert Event.parse(json.dumps(written).encode()) == Event.parse(write_event(ROW, "done", NOW))


UNKNOWN_STATE = write_event(ROW, "done", NOW).replace(b"DONE", b"NEWER")


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"[]", b"7", b"{}", b'{"data": {}}', b'{"data": null}', UNKNOWN_STATE]
)
def test_a_value_that_is_not_an_event_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not an event"):
        Event.parse(raw)
