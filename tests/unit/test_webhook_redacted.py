"""The redacted form of a stored webhook shows its ids and statuses, and no private data."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.callbacks_app import EVENT, written
from worker.operator.redacted import redacted


def test_statuses_and_ids_are_shown_and_personal_data_is_not() -> None:
    assert redacted(written(EVENT)) == {
        "event_type": "DIGILOCKER_VERIFICATION_SUCCESS",
        "event_time": EVENT["event_time"],
        "version": "v1",
        "data": {
            "user_details": {"name": "***", "mobile": "***"},
            "status": "AUTHENTICATED",
            "verification_id": "dl-1",
            "reference_id": 77,
        },
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "0 bytes that are no JSON"),
        (b"\xff\xfe", "2 bytes that are no JSON"),
        (b"[" * 100_000, "100000 bytes that are no JSON"),
        (b'"Canary"', "***"),
        (b'{"Canary Person": 1}', {"***": "***"}),
        (b'{"status": "Canary Person"}', {"status": "***"}),
        (b'{"event_time": "2026-01-05 10:11:12"}', {"event_time": "2026-01-05 10:11:12"}),
        (b'{"status": {"name": "Canary"}}', {"status": {"name": "***"}}),
        (b'{"document_consent": ["PAN", "a\\nb"]}', {"document_consent": ["PAN", "***"]}),
        (b'{"document_consent": null}', {"document_consent": None}),
    ],
)
def test_unexpected_values_are_hidden(body: bytes, expected: object) -> None:
    assert redacted(body) == expected


LEAVES = st.text() | st.integers() | st.none()


@given(st.recursive(LEAVES, lambda each: st.lists(each) | st.dictionaries(st.text(), each)))
def test_any_json_can_be_redacted(content: object) -> None:
    json.dumps(redacted(json.dumps(content).encode()))
