"""Ids: the vendor's rule, derivation from keys, and ids of later generations."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satyapan.ids import (
    MAX_LENGTH,
    child_id,
    derive_id,
    generation_id,
    id_faults,
    producer_key,
)

KEY = bytes(range(32))
VALID_IDS = st.from_regex(r"[A-Za-z0-9._-]{1,50}", fullmatch=True).filter(
    lambda text: not re.search(r"\.g[0-9]+\Z", text)
)


def codes(verification_id: object) -> list[str]:
    return [fault.code for fault in id_faults(verification_id)]


@pytest.mark.parametrize(
    ("verification_id", "expected"),
    [
        ("ABC00123", []),
        ("a", []),
        ("a" * MAX_LENGTH, []),
        ("x.y_z-1", []),
        (".g", []),
        ("order.g2.x", []),
        ("", ["verification_id_missing"]),
        (None, ["verification_id_missing"]),
        (7, ["verification_id_missing"]),
        ("a" * (MAX_LENGTH + 1), ["verification_id_length_exceeded"]),
        ("a b", ["verification_id_value_invalid"]),
        ("abc\n", ["verification_id_value_invalid"]),
        ("क-1", ["verification_id_value_invalid"]),
        ("१२३", ["verification_id_value_invalid"]),
        ("\ud800", ["verification_id_value_invalid"]),
        ("a:b", ["verification_id_value_invalid"]),
        ("order.g2", ["verification_id_value_invalid"]),
        (".g10", ["verification_id_value_invalid"]),
        ("!" * 51, ["verification_id_value_invalid", "verification_id_length_exceeded"]),
        ("!.g1", ["verification_id_value_invalid", "verification_id_value_invalid"]),
    ],
)
def test_an_id_keeps_the_vendors_rule_and_has_no_reserved_suffix(
    verification_id: object, expected: list[str]
) -> None:
    assert codes(verification_id) == expected


def test_a_fault_does_not_repeat_the_id() -> None:
    assert "Secret" not in str(id_faults("Secret Name!"))


@given(st.text() | st.just("\ud800"), st.text(max_size=10))
def test_a_derived_id_is_valid_and_always_the_same(key: str, kind: str) -> None:
    derived = derive_id(KEY, kind, key)

    assert id_faults(derived) == []
    assert derived == derive_id(KEY, kind, key)


def test_a_derived_id_is_the_same_in_every_version() -> None:
    """Producers rely on it: a change here would buy old verifications again."""
    shop = producer_key(KEY, "shop")

    assert shop.hex() == "83484dac21f710457a7b3cc7f2593d0bb4783eb9620aa6768a57863401661d77"
    assert derive_id(shop, "passport", "customer-17") == "v-2mif45mdrbyk4engnz4ju7quys"


def test_another_key_kind_producer_or_installation_gives_another_id() -> None:
    shop = producer_key(KEY, "shop")
    ids = {
        derive_id(shop, "passport", "customer-17"),
        derive_id(shop, "passport", "customer-18"),
        derive_id(shop, "digilocker", "customer-17"),
        derive_id(shop, "passportc", "ustomer-17"),
        derive_id(producer_key(KEY, "bank"), "passport", "customer-17"),
        derive_id(producer_key(bytes(32), "shop"), "passport", "customer-17"),
        derive_id(KEY, "passport", "customer-17"),
    }

    assert len(ids) == 7


@pytest.mark.parametrize("text", ["Zo\u00eb", "\u0915\u0949\u0958", "\u0ba4\u0bca", "\uac00"])
def test_composed_and_decomposed_unicode_keys_derive_the_same_id(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)

    assert decomposed != text
    assert derive_id(KEY, "passport", decomposed) == derive_id(KEY, "passport", text)


def test_keys_that_only_look_alike_derive_different_ids() -> None:
    """Compatibility forms are different texts: a ligature, a full-width digit, another case."""
    ascii_id, full_width_id = (
        derive_id(KEY, "passport", key) for key in ("customer-1", "customer-\uff11")
    )

    assert ascii_id != full_width_id
    assert derive_id(KEY, "passport", "Customer-1") != ascii_id


def test_a_derived_id_does_not_contain_the_key() -> None:
    assert "customer" not in derive_id(KEY, "passport", "customer-17")


def test_a_visitor_has_one_id_for_each_producer() -> None:
    ids = [
        child_id(KEY, parent, vendor_id, reply_to)
        for parent in ("link-1", "link-2")
        for vendor_id in ("person 1", "person 2")
        for reply_to in ("shop", "bank")
    ]

    assert len(set(ids)) == 8
    assert [fault for each in ids for fault in id_faults(each)] == []
    assert ids[0] == child_id(KEY, "link-1", "person 1", "shop")


@given(VALID_IDS, st.integers(2, 99))
def test_the_id_of_a_generation_is_valid_for_the_vendor_and_refused_from_producers(
    verification_id: str, generation: int
) -> None:
    generated = generation_id(verification_id, generation)

    assert len(generated) <= MAX_LENGTH
    assert re.fullmatch(r"[A-Za-z0-9._-]+", generated)
    assert generated.endswith(f".g{generation}")
    assert id_faults(generated)  # no producer can submit it


@given(VALID_IDS)
def test_the_first_generation_is_the_verification_id_itself(verification_id: str) -> None:
    assert generation_id(verification_id, 1) == verification_id


@pytest.mark.parametrize(
    ("length", "generation", "kept"),
    [(47, 2, True), (48, 2, False), (46, 10, True), (47, 10, False), (50, 2, False)],
)
def test_an_id_too_long_for_the_suffix_is_shortened_to_a_digest(
    length: int, generation: int, kept: bool
) -> None:
    generated = generation_id("a" * length, generation)

    assert generated.startswith("a" * length) is kept
    assert len(generated) <= MAX_LENGTH


def test_generations_of_different_long_ids_differ() -> None:
    assert generation_id("a" * 50, 2) != generation_id("a" * 49 + "b", 2)
    assert generation_id("a" * 50, 2) != generation_id("a" * 50, 3)
