"""Sealed data opens only under its own key and in its own record."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.errors import Unreadable
from satyapan.sealing import KeyRing, new_key

OLD, NEW = bytes(32), bytes(range(32))
RING = KeyRing({"k1": OLD})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=5,
)


def key_text(key_id: str, key: bytes) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


@given(st.binary(), st.text(max_size=20))
def test_sealed_bytes_can_be_opened(body: bytes, record: str) -> None:
    assert RING.open(record, RING.seal(record, body)) == body


@given(JSON)
def test_sealed_json_can_be_opened(value: object) -> None:
    assert RING.open_json("row-1", RING.seal_json("row-1", value)) == value


def test_the_envelope_shows_the_key_id_and_nothing_of_the_body() -> None:
    envelope = RING.seal("row-1", b"canary canary canary")

    assert envelope[2:4] == b"k1"
    assert b"canary" not in envelope


def test_sealing_a_body_twice_gives_two_envelopes() -> None:
    assert RING.seal("row-1", b"body") != RING.seal("row-1", b"body")


def test_a_body_cannot_be_opened_in_another_record() -> None:
    envelope = RING.seal("row-1/request", b"body")

    for record in ("row-2/request", "row-1/result", "row-1", ""):
        with pytest.raises(Unreadable):
            RING.open(record, envelope)


def test_a_rotated_ring_opens_the_old_and_seals_with_the_new() -> None:
    before = RING.seal("row-1", b"body")
    rotated = KeyRing({"k2": NEW, "k1": OLD})

    assert rotated.current == "k2"
    assert rotated.open("row-1", before) == b"body"
    with pytest.raises(Unreadable) as caught:
        RING.open("row-1", rotated.seal("row-1", b"body"))
    assert (caught.value.record, caught.value.key_id) == ("row-1", "k2")


def test_another_key_with_the_same_id_cannot_open() -> None:
    with pytest.raises(Unreadable):
        KeyRing({"k1": NEW}).open("row-1", RING.seal("row-1", b"body"))


@given(st.binary(max_size=60), st.data())
def test_a_truncated_envelope_is_unreadable(body: bytes, data: st.DataObject) -> None:
    envelope = RING.seal("row-1", body)
    kept = data.draw(st.integers(0, len(envelope) - 1))

    with pytest.raises(Unreadable):
        RING.open("row-1", envelope[:kept])


@given(st.binary(max_size=60), st.data())
def test_a_mutated_envelope_is_unreadable(body: bytes, data: st.DataObject) -> None:
    envelope = bytearray(RING.seal("row-1", body))
    position = data.draw(st.integers(0, len(envelope) - 1))
    envelope[position] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Unreadable):
        RING.open("row-1", bytes(envelope))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_unreadable_and_raise_no_other_error(envelope: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        RING.open_json("row-1", envelope)
    assert str(caught.value).isascii()


def test_a_ring_is_read_with_the_newest_key_first() -> None:
    ring = KeyRing.parse(f"{key_text('k2', NEW)}, {key_text('k1', OLD)}")

    assert ring.current == "k2"
    assert ring.open("row-1", RING.seal("row-1", b"body")) == b"body"


def test_a_new_key_is_accepted_by_the_setting() -> None:
    first, second = new_key("k7"), new_key("k7")

    assert first != second
    assert KeyRing.parse(first).current == "k7"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "canary",
        "canary:",
        ":" + base64.b64encode(NEW).decode(),
        "canary:c2hvcnQ=",
        "canary:!!!!",
        key_text("कanary", NEW),
        key_text("c" * 64, NEW),
        key_text("canary", NEW + b"x"),
        key_text("canary", NEW)[:-1],
        key_text("canary", NEW) + "\ud800",
    ],
)
def test_a_malformed_key_is_named_only_by_its_number(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^key 2: should be id:base64 of 32 bytes$"):
        KeyRing.parse(f"{new_key('k1')},{bad}")


def test_two_keys_with_the_same_id_are_refused() -> None:
    """The later key would replace the earlier one, whose records could then not be opened."""
    with pytest.raises(ValueError, match=r"^key 2: its id is that of an earlier key$"):
        KeyRing.parse(f"{key_text('k1', OLD)},{key_text('k1', NEW)}")


def test_a_ring_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        KeyRing({})


def test_the_repr_of_a_ring_shows_no_key() -> None:
    shown = repr(KeyRing({"k1": NEW})) + repr(vars(KeyRing({"k1": NEW})))

    assert base64.b64encode(NEW).decode() not in shown
    assert repr(NEW) not in shown
