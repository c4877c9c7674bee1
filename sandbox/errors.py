"""The vendor's error answers, with the vendor's texts.

The constants are the documented answers; tests compare them with excerpts of the vendor's pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass

VALIDATION = "validation_error"
AUTHENTICATION = "authentication_error"
RATE_LIMIT = "rate_limit_error"
INTERNAL = "internal_error"
NOT_FOUND = "not_found_error"


@dataclass(frozen=True)
class VendorError:
    """One error answer: HTTP status and the three fields of the body."""

    status: int
    type: str
    code: str
    message: str

    def body(self) -> dict[str, str]:
        """Return the JSON body."""
        return {"type": self.type, "code": self.code, "message": self.message}


class RefusedCall(Exception):
    """The call is refused with an error answer, or with an empty 404 (``error`` None)."""

    def __init__(self, error: VendorError | None) -> None:
        """Refuse with ``error``."""
        super().__init__(f"{error.status} {error.code}" if error else "404")
        self.error = error


class BadControl(ValueError):
    """An invalid control request; the text says what to send instead."""


def invalid(code: str, message: str, status: int = 400) -> VendorError:
    """Return an answer of the vendor's most common type, ``validation_error``."""
    return VendorError(status, VALIDATION, code, message)


def missing(field: str) -> VendorError:
    """Return the answer for a missing field or header."""
    return invalid(f"{field}_missing", f"{field} is missing in the request.")


def value_invalid(field: str, message: str | None = None) -> VendorError:
    """Return the answer for an invalid value of a field."""
    return invalid(f"{field}_value_invalid", message or f"{field} is invalid.")


BODY_UNREADABLE = invalid("invalid_request", "Request body should be a JSON object.")
BODY_TOO_LARGE = invalid("invalid_request", "Request body is too large.", 413)

TEST_SECRET = value_invalid("x-client-secret", "Client secret belongs to test environment")
WRONG_PAIR = VendorError(
    401, AUTHENTICATION, "authentication_failed", "Invalid clientId and clientSecret combination"
)
IP_REFUSED = VendorError(
    403,
    AUTHENTICATION,
    "ip_validation_failed",
    "IP not whitelisted your current ip is 106.51.91.104.For IP whitelisting assistance, visit our "
    "guide at https://www.cashfree.com/docs/secure-id/get-started/integration/"
    "ip-whitelisting-verification",
)
SIGNATURE_MISSING = invalid(
    "authentication_failed", "x-cf-signature missing in the request header", 403
)
SIGNATURE_INVALID = invalid("authentication_failed", "x-cf-signature is invalid or expired", 403)

TEMPLATE_UNKNOWN = invalid("template_name_not_found", "template_name does not exist", 404)
LINK_NOT_LINKED = invalid(
    "static_link_not_linked", "no active static link linked to provided template."
)
NO_SUCH_ID = VendorError(
    404, NOT_FOUND, "verification_id_value_invalid", "Please enter a valid verification_id"
)
NO_SUCH_REFERENCE = VendorError(
    404, NOT_FOUND, "reference_id_value_invalid", "Please enter a valid reference_id"
)
NO_SUCH_FORM = VendorError(404, NOT_FOUND, "Resource not found", "Resource not found")
NO_ID_GIVEN = invalid("invalid_request", "Please provide verification_id or reference_id")
NO_FORM_ID_GIVEN = invalid("invalid_request", "Provide verificationID or referenceID")

NO_BALANCE = invalid("insufficient_balance", "Insufficient balance to process this request", 422)
TOO_MANY = VendorError(
    429,
    RATE_LIMIT,
    "too_many_requests_per_operation",
    "Too many requests for this operation, rate limit reached",
)
TOO_MANY_FROM_IP = VendorError(
    429,
    RATE_LIMIT,
    "too_many_requests_per_ip",
    "Too many requests from the IP, rate limit reached",
)
NOT_READY = invalid("validation_pending", "Validation in process check after some time", 202)
URL_EXPIRED = invalid("url_expired", "Digilocker request URL is expired")
SESSION_EXPIRED = invalid("session_expired", "Digilocker consent session expired")
NO_CONSENT = invalid("consent_not_granted", "Consent not provided for document")
PERSON_MISMATCH = invalid(
    "user_detail_mismatch", "PAN card name of the user doesn't match with that in Aadhaar card"
)

NOT_ENABLED = invalid("invalid_request", "service not enabled for this account.")
"""How some operations say that they are not enabled; the others have a 404 with an empty body."""

COMMON = (
    WRONG_PAIR,
    TEST_SECRET,
    IP_REFUSED,
    SIGNATURE_MISSING,
    NO_BALANCE,
    TOO_MANY,
    TOO_MANY_FROM_IP,
)
"""Errors that every operation has."""

STOPS: Mapping[str, VendorError] = {
    "insufficient_balance": NO_BALANCE,
    "authentication_failed": WRONG_PAIR,
    "ip_validation_failed": IP_REFUSED,
}
"""The answers that the control route can give to every call, by code."""

TYPES: Mapping[int, str] = {
    401: AUTHENTICATION,
    404: NOT_FOUND,
    429: RATE_LIMIT,
    500: INTERNAL,
    502: INTERNAL,
}
"""The usual type for an HTTP status; all others have ``validation_error``."""
