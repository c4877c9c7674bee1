"""The token in the return URL: signed, expiring, bound to one verification and its kind.

The worker puts it into the vendor's `redirect_url`; the callbacks app reads it when the person
comes back. The vendor's own `verification_id` parameter is never trusted.
"""

from collections.abc import Sequence
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer

_SALT: Final = "satyapan.return"


class ReturnTokens:
    """Signs with the first key (the newest) and accepts all, so that keys rotate without a gap."""

    def __init__(self, keys: Sequence[str], life_s: int) -> None:
        # itsdangerous signs with the last key of a list.
        self._serializer = URLSafeTimedSerializer(list(reversed(keys)), salt=_SALT)
        self._life_s = life_s

    def sign(self, kind: str, verification_id: str) -> str:
        """Return the token for a verification."""
        return str(self._serializer.dumps([kind, verification_id]))

    def read(self, kind: str, token: str) -> str | None:
        """Return the verification_id of a valid token; None for any other token."""
        try:
            found = self._serializer.loads(token, max_age=self._life_s)
        except BadData:
            return None
        match found:
            case [str(signed_kind), str(verification_id)] if signed_kind == kind:
                return verification_id
        return None


def return_url(public_url: str, kind: str, token: str) -> str:
    """Return the URL to which the vendor sends the person back."""
    return f"{public_url.rstrip('/')}/return/{kind}/{token}"
