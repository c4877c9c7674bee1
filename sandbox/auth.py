"""The vendor's authentication: a key pair in headers, and ``x-cf-signature`` if required."""

import base64
import binascii
import hmac

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug.datastructures import Headers

from sandbox import errors
from sandbox.config import SandboxConfig
from sandbox.errors import RefusedCall, missing

SIGNATURE_LIFETIME_S = 300.0

_SHA1 = hashes.SHA1()  # noqa: S303 - the vendor's choice for OAEP
_OAEP = padding.OAEP(mgf=padding.MGF1(_SHA1), algorithm=_SHA1, label=None)


def authenticate(config: SandboxConfig, headers: Headers, now: float) -> str:
    """Return the client id of a call, or refuse it as the vendor documents."""
    client_id = headers.get("x-client-id")
    secret = headers.get("x-client-secret")
    if not client_id:
        raise RefusedCall(missing("x-client-id"))
    if not secret:
        raise RefusedCall(missing("x-client-secret"))
    if _same(secret, config.test_secret):
        raise RefusedCall(errors.TEST_SECRET)
    expected = config.accounts.get(client_id)
    if expected is None or not _same(secret, expected):
        raise RefusedCall(errors.WRONG_PAIR)
    if config.require_signature:
        _check_signature(config.signature_key, headers.get("x-cf-signature"), client_id, now)
    return client_id


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _check_signature(key: str | None, signature: str | None, client_id: str, now: float) -> None:
    if not signature:
        raise RefusedCall(errors.SIGNATURE_MISSING)
    if key is not None and not _is_valid(key, signature, client_id, now):
        raise RefusedCall(errors.SIGNATURE_INVALID)


def _is_valid(key: str, signature: str, client_id: str, now: float) -> bool:
    private = serialization.load_pem_private_key(key.encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("the signature key must be an RSA private key in PEM form")
    try:
        text = private.decrypt(base64.b64decode(signature, validate=True), _OAEP).decode()
        sender, _, seconds = text.rpartition(".")
        return sender == client_id and abs(now - int(seconds)) <= SIGNATURE_LIFETIME_S
    except (ValueError, binascii.Error):
        return False
