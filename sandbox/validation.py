"""The vendor's rules for what is recognised outside of the check of a request."""

import re

DOCUMENTS = ("AADHAAR", "PAN", "DRIVING_LICENSE")

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST_ID = 50


def is_legal_id(value: object) -> bool:
    """Return True if ``value`` follows the vendor's rule for a verification_id."""
    return isinstance(value, str) and len(value) <= _LONGEST_ID and bool(_NAME.fullmatch(value))
