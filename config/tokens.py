"""The token in the return URL: signed, expiring, bound to one verification and its kind.

The worker signs it into the vendor's `redirect_url`; the callbacks app reads it when the person
comes back. The vendor's own `verification_id` parameter is never trusted.
"""

from collections.abc import Sequence
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer

_SALT: Final = "satyapan.return"


class ReturnTokens:
    """Signs with the newest key, accepts any in the list; so keys rotate without a gap."""

    def __init__(self, keys: Sequence[str], life_s: int) -> None:
        # itsdangerous signs with the last key of a list.
        self._serializer = URLSafeTimedSerializer(list(reversed(keys)), salt=_SALT)
        self._life_s = life_s

    def sign(self, kind: str, verification_id: str) -> str:
        """Make the token for a verification."""
        return str(self._serializer.dumps([kind, verification_id]))

    def read(self, kind: str, token: str) -> str | None:
        """Give the verification_id of a good token; None for a forged, foreign or expired one."""
        try:
            found = self._serializer.loads(token, max_age=self._life_s)
        except BadData:
            return None
        match found:
            case [str(signed_kind), str(verification_id)] if signed_kind == kind:
                return verification_id
        return None


def return_url(public_url: str, kind: str, token: str) -> str:
    """Write the URL that the vendor sends the person back to."""
    return f"{public_url.rstrip('/')}/return/{kind}/{token}"
