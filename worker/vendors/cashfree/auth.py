"""Authentication: an account's key pair, and the signature of its second factor.

Source: contract.md 3, the vendor's getting-started page. `x-cf-signature` is an encryption: base64
of RSA-OAEP (SHA-1 for the digest and for MGF1) over "<client id>.<unix seconds>", valid for five
minutes, and made for every attempt.
"""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key


@dataclass(frozen=True)
class Account:
    """A merchant account: its name with us, its key pair, and what else its calls need."""

    name: str
    client_id: str
    client_secret: str = field(repr=False)
    public_key: str = field(default="", repr=False)
    """PEM from the vendor's dashboard; empty where addresses are allow-listed instead."""
    api_version: str = ""
    """Sent as x-api-version unless empty."""


class Credentials:
    """Makes the headers of one attempt.

    Raises:
        ValueError: at construction, when the account's public key can't be used.
    """

    def __init__(self, account: Account, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock
        self._key = _rsa_key(account) if account.public_key else None

    def headers(self) -> dict[str, str]:
        """Make fresh headers; they are secret and never stored."""
        account = self._account
        headers = {"x-client-id": account.client_id, "x-client-secret": account.client_secret}
        if account.api_version:
            headers["x-api-version"] = account.api_version
        if self._key is not None:
            headers["x-cf-signature"] = self._signature(self._key)
        return headers

    def _signature(self, key: RSAPublicKey) -> str:
        text = f"{self._account.client_id}.{int(self._clock())}"
        # SHA-1 is the vendor's choice; OAEP doesn't lean on its collision resistance.
        padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303  see above
        return base64.b64encode(key.encrypt(text.encode(), padding)).decode()


def _rsa_key(account: Account) -> RSAPublicKey:
    """Read the key from a public key's PEM or a certificate's."""
    pem = account.public_key.encode()
    key: object = None
    with suppress(ValueError, UnsupportedAlgorithm):
        if b"BEGIN CERTIFICATE" in pem:
            key = x509.load_pem_x509_certificate(pem).public_key()
        else:
            key = load_pem_public_key(pem)
    if isinstance(key, RSAPublicKey):
        return key
    raise ValueError(
        f"account {account.name}: its public key is not an RSA public key in PEM form; "
        "download it again from the vendor's dashboard"
    )
