"""Batches: the rules of each entry at submit, and how they are described."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema_rs
import pytest

from satyapan.errors import InvalidRequest
from satyapan.kinds import Kind, Registry
from satyapan.kinds.describe import kind_data
from satyapan.kinds.json_schema import request_schema, result_schema

PANS: Final = Registry()["pan_batch"]
ACCOUNTS: Final = Registry()["bank_account_batch"]
BATCHES: Final = (PANS, ACCOUNTS)
ONE: Final = {"bank_account": "026291800001191", "ifsc": "YESB0000262"}
PAN: Final = {"pan": "ABCPV1234D"}


def faults(kind: Kind, entries: object) -> list[tuple[str, str]]:
    """Return field and code of each fault of a request with these entries."""
    try:
        kind.check({"entries": entries})
    except InvalidRequest as refused:
        return [(fault.field, fault.code) for fault in refused.faults]
    return []


def accepts(kind: Kind, entries: object) -> bool:
    """Say if the published JSON Schema accepts these entries."""
    schema = jsonschema_rs.Draft202012Validator(request_schema(kind))
    return bool(schema.is_valid({"entries": entries}))


REFUSED: Final[list[tuple[Kind, object, list[tuple[str, str]]]]] = [
    (PANS, [PAN, PAN, PAN, {"pan": "A"}], [("entries.3.pan", "pan_length_short")]),
    (PANS, [{}, PAN], [("entries.0.pan", "pan_missing")]),
    (PANS, [PAN, {**PAN, "dob": "x"}], [("entries.1.dob", "entries.1.dob_value_invalid")]),
    (PANS, [PAN, 7], [("entries.1", "entry_value_invalid")]),
    (PANS, [PAN], [("entries", "invalid_request")]),
    (PANS, [], [("entries", "invalid_request")]),
    (PANS, None, [("entries", "invalid_request")]),
    (PANS, PAN, [("entries", "entries_value_invalid")]),
    (
        ACCOUNTS,
        [ONE, {"bank_account": "a-b", "ifsc": 7, "phone": "1"}],
        [
            ("entries.1.bank_account", "bank_account_length_short"),
            ("entries.1.bank_account", "bank_account_value_invalid"),
            ("entries.1.ifsc", "ifsc_value_invalid"),
            ("entries.1.phone", "phone_length_short"),
        ],
    ),
    (ACCOUNTS, [ONE] * 1001, [("entries", "entries_length_exceeded")]),
]


@pytest.mark.parametrize(("kind", "entries", "expected"), REFUSED)
def test_a_fault_names_its_entry_from_0(
    kind: Kind, entries: object, expected: list[tuple[str, str]]
) -> None:
    assert faults(kind, entries) == expected
    assert not accepts(kind, entries)


def test_the_vendor_says_in_words_which_entry_it_is_from_1() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ACCOUNTS.check({"entries": [ONE, {**ONE, "ifsc": "x"}]})

    (fault,) = caught.value.faults
    assert fault.message == (
        "ifsc should be of 11 characters and 5th character should be 0 for entry at sequence 2."
    )


def test_a_fault_of_an_entry_repeats_no_value() -> None:
    canary = {"pan": "canary", "name": ["canary"], "code": {"message": "canary"}}

    with pytest.raises(InvalidRequest) as caught:
        PANS.check({"entries": [canary, canary]})

    assert "canary" not in str(caught.value)


def test_as_many_entries_as_the_vendor_accepts_are_accepted() -> None:
    assert faults(ACCOUNTS, [ONE] * 1000) == []
    assert accepts(ACCOUNTS, [ONE] * 1000)


def test_an_optional_field_of_an_entry_may_be_null_and_is_dropped() -> None:
    entries = [{**ONE, "name": None, "phone": None}]

    assert ACCOUNTS.check({"entries": entries}) == {"entries": [ONE]}
    assert accepts(ACCOUNTS, entries)


@pytest.mark.parametrize("kind", BATCHES, ids=lambda kind: str(kind.name))
def test_every_field_of_an_entry_is_described_as_private(kind: Kind) -> None:
    asked = request_schema(kind)["properties"]["entries"]
    answered = result_schema(kind)["properties"]["entries"]
    fields: Mapping[str, Any] = {**asked["items"]["properties"], **answered["items"]["properties"]}
    listed = kind_data(kind, datetime.now(UTC))

    assert asked["x-private"]
    assert answered["x-private"]
    assert fields
    assert all(field["x-private"] for field in fields.values())
    rows = {row["name"]: row for row in listed["request"] + listed["result"]}
    assert {f"entries[].{name}" for name in fields} <= set(rows)
    assert all(row["private"] for name, row in rows.items() if name.startswith("entries"))
