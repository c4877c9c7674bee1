"""Cashfree's signature: a correct one is accepted, any other raises BadSignature."""

import base64
import contextlib
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.webhooks.verifiers import BadSignature
from callbacks.webhooks.verifiers.cashfree import CashfreeVerifier

SECRETS = ["newest", "older"]
NOW_S = 1_767_607_872.0
STAMP = "1767607872000"
OLD = "0000000000001"
BODY = b'{"event_type": "X", "amount": 10.00}'
# Generated with: printf '%s' "$STAMP$BODY" | openssl dgst -sha256 -hmac newest -binary | base64
MADE_BY_OPENSSL = "n0uuFs/WygkYJhjqrzwzSYDgg72pGth4KVQ73aJ8I6w="


def sign(secret: str, stamp: str = STAMP, body: bytes = BODY) -> str:
    mac = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def verifier(tolerance_s: float = 0) -> CashfreeVerifier:
    return CashfreeVerifier(SECRETS, tolerance_s, lambda: NOW_S)


def headers(signature: str, stamp: str = STAMP) -> list[tuple[str, str]]:
    return [("X-Webhook-Signature", signature), ("X-Webhook-Timestamp", stamp)]


def code(pairs: list[tuple[str, str]], body: bytes = BODY, tolerance_s: float = 0) -> str:
    """Return the code of the refusal."""
    with pytest.raises(BadSignature) as refused:
        verifier(tolerance_s).verify(body, pairs)
    return refused.value.code


def test_a_signature_made_by_openssl_is_accepted() -> None:
    verifier().verify(BODY, headers(MADE_BY_OPENSSL))


@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_is_accepted(secret: str) -> None:
    verifier().verify(BODY, headers(sign(secret)))


@pytest.mark.parametrize("secret", ["", "newest ", "NEWEST", "other"])
def test_no_other_secret_is_accepted(secret: str) -> None:
    assert code(headers(sign(secret))) == "signature_mismatch"


@pytest.mark.parametrize("secrets", [[], [""]])
def test_an_empty_secret_never_proves_anything(secrets: list[str]) -> None:
    with pytest.raises(BadSignature):
        CashfreeVerifier(secrets, 0, lambda: NOW_S).verify(BODY, headers(sign("")))


@pytest.mark.parametrize(
    "body", [BODY + b"\n", BODY.replace(b"10.00", b"10.0"), b"{", BODY.upper()]
)
def test_the_signature_covers_the_exact_bytes(body: bytes) -> None:
    assert code(headers(sign("newest")), body) == "signature_mismatch"


def test_the_timestamp_is_signed_too() -> None:
    assert code(headers(sign("newest"), "1767607872001")) == "signature_mismatch"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], "signature_missing"),
        (headers(sign("newest"))[:1], "timestamp_missing"),
        (headers(sign("newest"))[1:], "signature_missing"),
        (headers(sign("newest")) + headers(sign("newest"))[:1], "signature_repeated"),
        (headers(sign("newest")) + headers(sign("newest"))[1:], "timestamp_repeated"),
        (headers(f"{sign('newest')},{sign('newest')}"), "signature_mismatch"),
        (headers("é" * 44), "signature_malformed"),
        (headers("\ud800"), "signature_malformed"),
        (headers(""), "signature_mismatch"),
        (headers("not base64!"), "signature_mismatch"),
        (headers(sign("newest")[:-4]), "signature_mismatch"),
        (headers(sign("newest") + "===="), "signature_mismatch"),
        (headers(sign("newest"), ""), "timestamp_malformed"),
        (headers(sign("newest"), "-1"), "timestamp_malformed"),
        (headers(sign("newest"), "1e12"), "timestamp_malformed"),
        (headers(sign("newest"), "²"), "timestamp_malformed"),
        (headers(sign("newest"), "٣"), "timestamp_malformed"),
        (headers(sign("newest"), "9" * 5000), "timestamp_malformed"),
        (headers(sign("newest"), "2026-01-05T10:11:12Z"), "timestamp_malformed"),
    ],
)
def test_a_refusal_has_the_code_of_its_cause(pairs: list[tuple[str, str]], expected: str) -> None:
    assert code(pairs) == expected


@pytest.mark.parametrize(
    ("offset_s", "expected"), [(-301, "timestamp_stale"), (301, "timestamp_future")]
)
def test_a_tolerance_applies_to_past_and_future(offset_s: int, expected: str) -> None:
    stamp = str(int(NOW_S + offset_s) * 1000)

    assert code(headers(sign("newest", stamp), stamp), tolerance_s=300) == expected


@pytest.mark.parametrize("offset_s", [-299, 0, 299])
def test_a_timestamp_within_the_tolerance_is_accepted(offset_s: int) -> None:
    stamp = str(int(NOW_S + offset_s) * 1000)

    verifier(300).verify(BODY, headers(sign("newest", stamp), stamp))


@pytest.mark.parametrize("stamp", ["0000000000000", "0000000000001", "9999999999999"])
def test_without_a_tolerance_any_age_is_accepted(stamp: str) -> None:
    assert verifier().verify(BODY, headers(sign("newest", stamp), stamp)) == int(stamp)


@pytest.mark.parametrize("digits", [1, 12, 14, 16])
def test_a_timestamp_without_thirteen_digits_is_refused(digits: int) -> None:
    stamp = "1" * digits

    assert code(headers(sign("newest", stamp), stamp)) == "timestamp_malformed"


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'"text"', b"null", b" {}", b"7{}", b"\xef\xbb\xbf{}"]
)
def test_a_body_that_does_not_begin_as_an_object_is_refused(body: bytes) -> None:
    assert code(headers(sign("newest", body=body)), body) == "body_malformed"


@pytest.mark.parametrize("moved", range(1, 13))
def test_signed_digits_cannot_move_between_timestamp_and_body(moved: int) -> None:
    longer, body = STAMP + "1" * moved, BODY
    assert code(headers(sign("newest", longer, body), longer), body) == "timestamp_malformed"
    assert code(headers(sign("newest", longer, body)), b"1" * moved + body) == "body_malformed"
    shorter = STAMP[:-moved]
    assert code(headers(sign("newest"), shorter), STAMP[-moved:].encode() + body) == (
        "timestamp_malformed"
    )


def test_a_stale_forgery_is_refused_for_its_signature() -> None:
    assert code(headers(sign("other", OLD), OLD), tolerance_s=300) == "signature_mismatch"


@given(
    body=st.binary(),
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["x-webhook-signature", "X-WEBHOOK-TIMESTAMP", "x-other"]),
            st.text(st.characters()) | st.text("0123456789"),
        )
    ),
)
def test_no_input_raises_another_error(body: bytes, pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(BadSignature):
        verifier(300).verify(body, pairs)
        pytest.fail("a signature was guessed")
