"""The headers of a call, and public keys that are refused."""

import base64
import logging
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from marshmallow import ValidationError

from config.validators import rsa_key
from worker.vendors.cashfree.auth import Credentials

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PKCS1 = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
CURVE = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def credentials(
    public_key: str = "", api_version: str = "", clock: Callable[[], float] = lambda: 0
) -> Credentials:
    key = rsa_key(public_key) if public_key else None
    return Credentials("CF-id", "made-up-secret", key, api_version, clock)


def decrypted(signature: str) -> str:
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303  required
    return PRIVATE.decrypt(base64.b64decode(signature, validate=True), oaep).decode()


def test_without_optional_settings_a_call_carries_only_the_key_pair() -> None:
    headers = credentials().headers()

    assert headers == {"x-client-id": "CF-id", "x-client-secret": "made-up-secret"}


def test_the_api_version_is_sent_when_it_is_set() -> None:
    headers = credentials(api_version="2024-12-01").headers()

    assert headers["x-api-version"] == "2024-12-01"


@pytest.mark.parametrize("pem", [PUBLIC, PKCS1], ids=["spki", "pkcs1"])
def test_the_signature_is_the_id_and_the_second_encrypted_for_the_vendor(pem: str) -> None:
    headers = credentials(pem, clock=lambda: 1_700_000_000.9).headers()

    assert decrypted(headers["x-cf-signature"]) == "CF-id.1700000000"


def test_every_attempt_has_a_new_signature() -> None:
    times = iter([1.0, 2.0, 2.0])
    signing = credentials(PUBLIC, clock=lambda: next(times))

    signatures = [signing.headers()["x-cf-signature"] for _ in range(3)]

    assert [decrypted(each) for each in signatures] == ["CF-id.1", "CF-id.2", "CF-id.2"]
    assert len(set(signatures)) == 3


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("not a key", id="text"),
        pytest.param(PUBLIC[:200], id="cut"),
        pytest.param(CURVE, id="another algorithm"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", id="broken"),
    ],
)
def test_an_unusable_key_is_refused_and_not_repeated(pem: str) -> None:
    with pytest.raises(ValidationError, match="should be an RSA public key in PEM") as caught:
        rsa_key(pem)

    assert pem not in str(caught.value)


def test_nothing_secret_is_in_the_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    shown = f"{credentials(PUBLIC)!r} {credentials(PUBLIC)}"

    assert "made-up-secret" not in shown + caplog.text
    assert "BEGIN" not in shown + caplog.text
