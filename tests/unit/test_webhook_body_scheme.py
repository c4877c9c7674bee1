"""The older scheme with the signature in the body accepts only flat payloads."""

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.webhooks.verifiers import BadSignature
from callbacks.webhooks.verifiers.cashfree_body import CashfreeBodyVerifier

SECRETS = ["newest", "older"]
DATA = {"utr": "1387420170430008800069857", "amount_deposited": "1.00", "bank_name": "Y", "n": 7}
SIGNED = "1.00Y71387420170430008800069857"
"""The values of DATA, sorted by their names."""


def sign(text: str, secret: str = SECRETS[0]) -> str:
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def body(signature: object = sign(SIGNED), data: Any = DATA, **more: Any) -> bytes:
    return json.dumps({"event_type": "X", "data": data, "signature": signature, **more}).encode()


def code(raw: bytes, secrets: list[str] = SECRETS) -> str:
    """Return the code of the refusal."""
    with pytest.raises(BadSignature) as refused:
        CashfreeBodyVerifier(secrets).verify(raw, [])
    return refused.value.code


@pytest.mark.parametrize("secret", SECRETS)
def test_a_flat_payload_signed_over_its_sorted_values_is_accepted(secret: str) -> None:
    CashfreeBodyVerifier(SECRETS).verify(body(sign(SIGNED, secret)), [])


def test_numbers_are_signed_as_they_are_written() -> None:
    raw = b'{"data": {"score": 91.50}, "signature": "%s"}' % sign("91.50").encode()

    CashfreeBodyVerifier(SECRETS).verify(raw, [])


@pytest.mark.parametrize("value", [None, True, [], {}, ["x"], {"a": "b"}])
def test_a_payload_that_is_not_flat_is_refused(value: object) -> None:
    assert code(body(data={**DATA, "value": value})) == "not_flat"


@pytest.mark.parametrize("data", [None, "", "text", [], ["a"], 7])
def test_data_that_is_not_an_object_is_refused(data: object) -> None:
    assert code(body(data=data)) == "not_flat"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "body_malformed"),
        (b"\xff\xfe", "body_malformed"),
        (b"[]", "body_malformed"),
        (b"[" * 100_000, "body_malformed"),
        (b'{"data": {"a": NaN}, "signature": ""}', "body_malformed"),
        (b'{"data": {"a": "1", "a": "2"}, "signature": ""}', "body_malformed"),
        (b'{"data": {}, "signature": "x", "signature": "y"}', "body_malformed"),
        (b"{}", "signature_missing"),
        (body(""), "signature_mismatch"),
        (body(None), "signature_mismatch"),
        (body(sign(SIGNED, "other")), "signature_mismatch"),
        (body(sign(SIGNED, "")), "signature_mismatch"),
        (body("é"), "signature_malformed"),
        (body(data={"a": "\ud800"}), "signature_malformed"),
        (body(data={**DATA, "n": 8}), "signature_mismatch"),
    ],
)
def test_a_refusal_has_the_code_of_its_cause(raw: bytes, expected: str) -> None:
    assert code(raw) == expected


@pytest.mark.parametrize("secrets", [[], [""]])
def test_an_empty_secret_never_proves_anything(secrets: list[str]) -> None:
    assert code(body(sign(SIGNED, "")), secrets) == "signature_mismatch"


@given(st.binary() | st.builds(body, st.text(), st.dictionaries(st.text(), st.text())))
def test_no_input_raises_another_error(raw: bytes) -> None:
    with contextlib.suppress(BadSignature):
        CashfreeBodyVerifier(SECRETS).verify(raw, [])
        pytest.fail("a signature was guessed")
