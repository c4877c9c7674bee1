"""Every example on the vendor's pages, and how to reproduce it here.

The tests compare this table with the pages and reproduce each entry. Magic ids and the
fault ``{"example": "<operation>/<name>"}`` take their answers from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import errors
from sandbox.definitions.model import VendorOperation
from sandbox.errors import COMMON, VendorError, invalid, value_invalid
from sandbox.sample_qr import SAMPLE_QR


@dataclass(frozen=True)
class Example:
    """One documented answer.

    To reproduce it: set ``config``, post ``control`` to the control route of that name, then send
    ``request`` with ``headers`` (None leaves a header out), twice if ``repeat``. ``varying`` names
    the fields whose values are samples and differ in every answer.
    """

    operation: str
    name: str
    status: int
    body: Mapping[str, Any]
    request: Mapping[str, Any]
    headers: Mapping[str, str | None] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    control: tuple[str, Mapping[str, Any]] | None = None
    repeat: bool = False
    varying: tuple[str, ...] = ()

    def error(self) -> VendorError | None:
        """Return the example as an error, None if it is none."""
        if "code" not in self.body:
            return None
        return VendorError(self.status, self.body["type"], self.body["code"], self.body["message"])


_ID_CHARACTERS = value_invalid(
    "verification_id", "verification_id can include only alphanum, dot, hyphen and underscores."
)
_DOB_FORMAT = value_invalid("dob", "dob should be of type YYYY-MM-DD.")
_DOCUMENTS_EMPTY = invalid("invalid_request", "Requested Document Type can't be empty")
_DOCUMENTS_UNKNOWN = invalid("invalid_request", "Invalid Document Type Submitted")
_DOCUMENTS_REPEATED = invalid("invalid_request", "Duplicate Document Type Submitted")
_REDIRECT_NOT_HTTPS = value_invalid("redirect_url", "redirect_url should start with https.")
_REDIRECT_NOT_URL = value_invalid("redirect_url", "redirect_url should be valid url.")
_TEMPLATE_CHARACTERS = value_invalid(
    "template_name",
    "template_name should only contains alphanumeric, dot, underscore and hyphen.",
)
_PASSPORT_REPEATED = invalid(
    "verification_id_already_exists", "verification ID already exists", 409
)
_DIGILOCKER_REPEATED = invalid(
    "verification_id_value_invalid",
    "verification_id already exists, please provide new verification_id",
    409,
)

PASSPORT = {
    "verification_id": "ABC00123",
    "name": "John Doe",
    "file_number": "PA1079341954215",
    "dob": "2007-03-01",
}
DIGILOCKER = {
    "verification_id": "ABC00123",
    "document_requested": ["AADHAAR", "PAN", "DRIVING_LICENSE"],
    "redirect_url": "https://www.cashfree.com",
}
STATIC_LINK = {"template_name": "Aadhaar_verification"}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "passport": PASSPORT,
    "digilocker": DIGILOCKER,
    "static_link": STATIC_LINK,
}
"""A request that each operation accepts: the vendor's own examples."""


def _without(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != name}


def _error(operation: str, name: str, error: VendorError, **how: Any) -> Example:
    """Return an example that differs from a valid call only in ``how``."""
    request = how.pop("request", GOOD[operation])
    return Example(operation, name, error.status, error.body(), request, **how)


def _fault(operation: str, name: str, error: VendorError) -> Example:
    fault = {"route": operation, "status": error.status, "code": error.code}
    return _error(operation, name, error, control=("faults", fault))


def _everywhere(operation: str) -> Iterator[Example]:
    """Yield the examples that all three pages have."""
    yield _error(
        operation,
        "Invalid client ID and client secret combination",
        errors.WRONG_PAIR,
        headers={"x-client-secret": "wrong"},
    )
    for name, error in (
        ("IP not whitelisted", errors.IP_REFUSED),
        ("Insufficient balance", errors.NO_BALANCE),
    ):
        yield _error(operation, name, error, control=("stop", {"code": error.code}))
    yield _error(
        operation,
        "Rate limit error per operation",
        errors.TOO_MANY,
        control=("quota", {"route": operation, "per_minute": 0}),
    )
    yield _fault(operation, "Rate limit error per IP", errors.TOO_MANY_FROM_IP)


def _credentials(operation: str) -> Iterator[Example]:
    yield _error(
        operation,
        "Client ID/Client Secret in Missing",
        errors.missing("x-client-id"),
        headers={"x-client-id": None},
    )
    yield _error(
        operation,
        "Using-Test-Credentials-in-Prod",
        errors.TEST_SECRET,
        headers={"x-client-secret": "test-environment-secret"},
    )


def _signature(operation: str) -> Example:
    return _error(
        operation,
        "x-cf-signature header missing",
        errors.SIGNATURE_MISSING,
        config={"require_signature": True},
    )


def _client_id(operation: str) -> Iterator[Example]:
    good = GOOD[operation]
    yield _error(
        operation,
        "Verification ID Missing",
        errors.missing("verification_id"),
        request=_without(good, "verification_id"),
    )
    yield _error(
        operation,
        "Verification ID With Special Chars",
        _ID_CHARACTERS,
        request={**good, "verification_id": "ABC#123"},
    )


def _passport() -> Iterator[Example]:
    person = {
        "name": "John doe",
        "dob": "1998-12-31",
        "application_type": "NORMAL",
        "application_received_date": "2003-12-31",
    }
    for name, status, file_number, found in (
        ("Valid Passport", "VALID", "PA1079341954215", person),
        ("Invalid Passport", "INVALID", "PA0379341954215", dict.fromkeys(person)),
    ):
        body = {
            "verification_id": "ABC00123",
            "reference_id": 1358,
            "status": status,
            "file_number": file_number,
            **found,
        }
        yield Example("passport", name, 200, body, {**PASSPORT, "file_number": file_number})
    yield from _client_id("passport")
    for name, error, request in (
        ("fileNumber Missing", errors.missing("file_number"), _without(PASSPORT, "file_number")),
        ("DOB Missing", errors.missing("dob"), _without(PASSPORT, "dob")),
        ("Invalid DOB", _DOB_FORMAT, {**PASSPORT, "dob": "01-03-2007"}),
    ):
        yield _error("passport", name, error, request=request)
    yield from _credentials("passport")
    yield from _everywhere("passport")
    yield _signature("passport")
    yield _error("passport", "Conflict Error", _PASSPORT_REPEATED, repeat=True)
    yield _fault("passport", "Internal Server Error", errors.WENT_WRONG)
    yield _fault("passport", "Bad Gateway", errors.ATTEMPT_FAILED)


def _digilocker() -> Iterator[Example]:
    body = {
        "verification_id": "ABC00123",
        "reference_id": 12345,
        "url": "https://verification-test.cashfree.com/dgl/h7562ci7us0",
        "status": "PENDING",
        "document_requested": ["AADHAAR", "PAN", "DRIVING_LICENSE"],
        "redirect_url": "https://www.cashfree.com",
    }
    base = {"public_base": "https://verification-test.cashfree.com"}
    yield Example("digilocker", "SUCCESS", 200, body, DIGILOCKER, config=base)
    yield from _client_id("digilocker")
    for name, error, changes in (
        ("Document Requested Missing", errors.missing("document_requested"), None),
        ("Document Requested Empty", _DOCUMENTS_EMPTY, []),
        ("Invalid Document Requested", _DOCUMENTS_UNKNOWN, ["VOTER_ID"]),
        ("Duplicate Document Requested", _DOCUMENTS_REPEATED, ["PAN", "PAN"]),
    ):
        request = {**_without(DIGILOCKER, "document_requested")}
        if changes is not None:
            request["document_requested"] = changes
        yield _error("digilocker", name, error, request=request)
    for name, error, url in (
        (
            "Invalid Redirection Url without https prefix",
            _REDIRECT_NOT_HTTPS,
            "http://www.cashfree.com",
        ),
        ("Invalid Redirection Url with https prefix", _REDIRECT_NOT_URL, "https://a b"),
    ):
        yield _error("digilocker", name, error, request={**DIGILOCKER, "redirect_url": url})
    yield from _credentials("digilocker")
    yield from _everywhere("digilocker")
    yield _error(
        "digilocker", "Request with same verification id", _DIGILOCKER_REPEATED, repeat=True
    )
    yield _fault("digilocker", "Internal Server Error", errors.WENT_WRONG)


def _static_link() -> Iterator[Example]:
    body = {
        "static_link": "https://verification.cashfree.com/forms?shortCode=m2bjk9uakkcg",
        "qr_code": SAMPLE_QR,
        "status": "ACTIVE",
        "template_name": "Aadhaar_verification",
    }
    yield Example(
        "static_link", "Success", 200, body, STATIC_LINK, varying=("static_link", "qr_code")
    )
    for name, error, request in (
        ("Template Name Missing", errors.missing("template_name"), {}),
        ("Template Name Invalid", _TEMPLATE_CHARACTERS, {"template_name": "a b"}),
        ("Template Name not Found", errors.TEMPLATE_UNKNOWN, {"template_name": "Unknown"}),
    ):
        yield _error("static_link", name, error, request=request)
    yield from _everywhere("static_link")
    yield _signature("static_link")
    yield _fault("static_link", "Internal Server Error", errors.LINK_WENT_WRONG)


EXAMPLES: tuple[Example, ...] = (*_passport(), *_digilocker(), *_static_link())
"""All documented examples."""


def find_example(name: str) -> Example:
    """Return the example called ``<operation>/<name>``, or raise KeyError."""
    for example in EXAMPLES:
        if name == f"{example.operation}/{example.name}":
            return example
    raise KeyError(name)


def documented_error(
    operation: VendorOperation, status: int, code: str | None
) -> VendorError | None:
    """Return the first documented error with this status and code, if there is one.

    Without a code, errors of fields and those that every operation has don't count.
    """
    examples = (each.error() for each in EXAMPLES if each.operation == operation.name)
    known = [*filter(None, examples), *operation.documented()]
    if code is not None:
        known += [*operation.of_fields(), *COMMON]
    return next((e for e in known if e.status == status and code in (None, e.code)), None)
