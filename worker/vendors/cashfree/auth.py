"""Authentication: an account's key pair, and the signature of its second factor.

Source: the vendor's getting-started page. `x-cf-signature` is an encryption: base64
of RSA-OAEP (SHA-1 for the digest and for MGF1) over "<client id>.<unix seconds>", valid for five
minutes, and made for every attempt.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1


@dataclass(frozen=True)
class Credentials:
    """A merchant account's key pair; makes the headers of one attempt."""

    client_id: str
    client_secret: str = field(repr=False)
    public_key: RSAPublicKey | None = field(default=None, repr=False)
    """From the vendor's dashboard; None where addresses are allow-listed instead."""
    api_version: str = ""
    """Sent as x-api-version unless empty."""
    clock: Callable[[], float] = time.time

    def headers(self) -> dict[str, str]:
        """Make fresh headers; they are secret and never stored."""
        headers = {"x-client-id": self.client_id, "x-client-secret": self.client_secret}
        if self.api_version:
            headers["x-api-version"] = self.api_version
        if self.public_key is not None:
            headers["x-cf-signature"] = self._signature(self.public_key)
        return headers

    def _signature(self, key: RSAPublicKey) -> str:
        text = f"{self.client_id}.{int(self.clock())}"
        # SHA-1 is the vendor's choice; OAEP doesn't lean on its collision resistance.
        padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303  see above
        return base64.b64encode(key.encrypt(text.encode(), padding)).decode()
