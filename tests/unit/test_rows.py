"""A row as a Redis hash: round trips, differences, and rows of other versions."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.errors import Unreadable
from satyapan.ledger.rows import SEALED, decode, encode
from satyapan.records import Row, State
from satyapan.sealing import KeyRing

RING = KeyRing({"k1": bytes(32)})
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
TUPLES = st.lists(st.text("abcXYZ0123 ._/-", min_size=1, max_size=9), max_size=3).map(tuple)
OBJECTS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.just("row-1"),
    "kind": st.just("passport"),
    "vendor": st.sampled_from(["cashfree", "other"]),
    "account": st.sampled_from(["main", "second"]),
    "reply_to": st.sampled_from(["default", "shop"]),
    "generation": st.integers(1, 9),
    "state": st.sampled_from(State),
    "request": OBJECTS,
    "draft": st.none() | OBJECTS,
    "result": st.none() | OBJECTS,
    "link": TEXT,
}


def by_type(name: str) -> st.SearchStrategy[Any]:
    default = getattr(Row(id="", kind=""), name)
    if isinstance(default, tuple):
        return TUPLES
    return st.integers(0, 2**53) if isinstance(default, int) else TEXT


ROWS = st.builds(Row, **({f.name: by_type(f.name) for f in fields(Row)} | STRATEGIES))


def write(stored: dict[bytes, bytes], written: dict[str, bytes]) -> dict[bytes, bytes]:
    """Update the hash as the scripts do: an empty value removes the field."""
    after = {**stored, **{name.encode(): value for name, value in written.items()}}
    return {name: value for name, value in after.items() if value}


@given(ROWS)
def test_a_written_row_is_read_back(row: Row) -> None:
    assert decode(write({}, encode(row, RING)), RING) == row


@given(ROWS, ROWS)
def test_a_difference_turns_one_row_into_the_other(before: Row, after: Row) -> None:
    stored = write({}, encode(before, RING))

    stored = write(stored, encode(after, RING, before))

    assert decode(stored, RING) == after


@given(ROWS)
def test_private_fields_stay_sealed_without_a_key_ring(row: Row) -> None:
    without_private = decode(write({}, encode(row, RING)), None)

    assert without_private == replace(row, request={}, draft=None, result=None, link="", handoff={})


def test_only_what_changed_is_written() -> None:
    before = Row(id="row-1", kind="passport", tries=3, request={"dob": "2007-03-01"})

    written = encode(replace(before, attempts=1, tries=0), RING, before)

    assert written == {"attempts": b"1", "tries": b""}


def test_a_row_that_is_accepted_again_keeps_its_state_field() -> None:
    """The claim script treats a row without a state as deleted."""
    claimed = Row(id="row-1", kind="passport", state=State.SENT, generation=2)

    written = encode(replace(claimed, state=State.ACCEPTED, generation=1), RING, claimed)

    assert written == {"state": b"ACCEPTED", "generation": b"1"}


def test_fields_of_a_newer_version_are_ignored() -> None:
    stored = write({}, encode(Row(id="row-1", kind="passport"), RING))

    row = decode({**stored, b"colour": b"\xff\x00", b"hinted": b"1"}, RING)

    assert row == Row(id="row-1", kind="passport")


def test_fields_that_an_older_version_lacks_have_their_defaults() -> None:
    assert decode({b"id": b"row-1", b"kind": b"passport"}, RING) == Row(id="row-1", kind="passport")


@pytest.mark.parametrize("name", sorted(SEALED))
def test_a_private_field_opens_only_in_its_own_row_and_field(name: str) -> None:
    secret: Any = "canary-text" if name == "link" else {"name": "canary-text"}
    row = replace(Row(id="row-1", kind="passport"), **{name: secret})
    written = encode(row, RING)

    assert b"canary" not in b"".join(written.values())
    with pytest.raises(Unreadable):
        decode({b"id": b"row-2", b"kind": b"passport", name.encode(): written[name]}, RING)
    another = min(SEALED - {name}).encode()
    with pytest.raises(Unreadable):
        decode({b"id": b"row-1", b"kind": b"passport", another: written[name]}, RING)


def test_the_repr_of_a_row_shows_no_private_field() -> None:
    row = Row(
        id="row-1",
        kind="passport",
        request={"name": "canary"},
        draft={"name": "canary"},
        result={"name": "canary"},
        link="canary",
    )

    assert "canary" not in repr(row)
