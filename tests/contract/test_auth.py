"""Key pairs and the signature header."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask.testing import FlaskClient

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.definitions.model import VendorOperation
from tests.contract.conftest import KEYS, NOON, OPERATIONS, FixedClock

GOOD = {"verification_id": "p-1", "file_number": "PA1079341954215", "dob": "2007-03-01"}
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()


def signature(text: str, digest: hashes.HashAlgorithm | None = None) -> str:
    digest = digest or hashes.SHA1()  # noqa: S303 - the vendor's choice for OAEP
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    return base64.b64encode(PRIVATE.public_key().encrypt(text.encode(), oaep)).decode()


@pytest.fixture
def signed() -> FlaskClient:
    """Return a client of a sandbox that requires a signature and can decrypt it."""
    config = SandboxConfig(require_signature=True, signature_key=PEM)
    return create_app(config, FixedClock()).test_client()


@pytest.mark.parametrize("route", list(OPERATIONS), ids=lambda route: route.name)
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "x-client-id_missing"),
        ({"x-client-id": "sandbox-client"}, 400, "x-client-secret_missing"),
        ({**KEYS, "x-client-id": "somebody"}, 401, "authentication_failed"),
        ({**KEYS, "x-client-secret": "wrong"}, 401, "authentication_failed"),
        (
            {**KEYS, "x-client-secret": "test-environment-secret"},
            400,
            "x-client-secret_value_invalid",
        ),
    ],
)
def test_every_route_requires_a_valid_key_pair(
    client: FlaskClient, route: VendorOperation, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.open(f"/verification{route.path}", method=route.method, headers=headers)

    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


@pytest.mark.parametrize("age", [-299, 0, 299])
def test_a_fresh_signature_is_accepted(signed: FlaskClient, age: int) -> None:
    header = signature(f"sandbox-client.{int(NOON) - age}")

    answer = signed.post(
        "/verification/passport", json=GOOD, headers={**KEYS, "x-cf-signature": header}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        signature(f"sandbox-client.{int(NOON) - 301}"),
        signature(f"somebody.{int(NOON)}"),
        signature("sandbox-client.soon"),
        signature("sandbox-client"),
        signature(f"sandbox-client.{int(NOON)}", hashes.SHA256()),
        "not base64!",
        "aGVsbG8=",
    ],
    ids=["old", "other client", "no time", "no dot", "wrong digest", "no base64", "no ciphertext"],
)
def test_any_other_signature_is_refused(signed: FlaskClient, header: str) -> None:
    answer = signed.post(
        "/verification/passport", json=GOOD, headers={**KEYS, "x-cf-signature": header}
    )

    assert (answer.status_code, answer.get_json()["code"]) == (403, "authentication_failed")


def test_without_the_setting_no_signature_is_checked(client: FlaskClient) -> None:
    headers = {**KEYS, "x-cf-signature": "anything"}

    assert client.post("/verification/passport", json=GOOD, headers=headers).status_code == 200
