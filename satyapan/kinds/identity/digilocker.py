"""DigiLocker: a person gives consent in a browser, then the consented documents are fetched.

Source: the vendor's DigiLocker pages (Create URL: the older text). A link lives for 10 minutes, the
data for 1 hour after consent; docs/vendor.md has the code of the 409.
"""

from typing import Any
from urllib.parse import urlsplit

from marshmallow import fields

from satyapan.kinds.fields import missing, names, one_of, refuse, request, text, wording
from satyapan.kinds.model import (
    AnswerMeaning,
    Kind,
    Mode,
    Operation,
    Recovery,
    RefusedField,
    Route,
)
from satyapan.records import State

DOCUMENTS = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_FLOW = one_of(("signin", "signup"), "{name} should be signin or signup.")


def _documents(value: list[Any]) -> None:
    if not value:
        raise refuse("invalid_request", "Requested Document Type can't be empty")
    if any(item not in DOCUMENTS for item in value):
        raise refuse("invalid_request", "Invalid Document Type Submitted")
    if len(set(value)) != len(value):
        raise refuse("invalid_request", "Duplicate Document Type Submitted")


def _return_url(value: str) -> None:
    if not value.startswith("https://"):
        raise refuse("return_url_value_invalid", "return_url should start with https.")
    if any(sign.isspace() or sign < " " or sign == "\\" for sign in value) or not _plain(value):
        # Browsers read a backslash as a slash: what we took for a user name would be the host.
        raise refuse("return_url_value_invalid", "return_url should be valid url.")


def _plain(url: str) -> bool:
    """Return True if an address names a host, with a port that exists and without a user."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False


_REQUEST = request(
    document_requested=fields.List(
        fields.Raw(allow_none=True),  # null among them is refused as any other wrong type
        required=True,
        validate=_documents,
        metadata={
            "rule": f"one or more of {', '.join(DOCUMENTS)}, each once",
            "schema": {"items": {"enum": [*DOCUMENTS]}, "minItems": 1, "uniqueItems": True},
        },
        error_messages={
            "required": missing("document_requested"),
            "null": missing("document_requested"),
            "invalid": wording("invalid_request", "Invalid Document Type Submitted"),
        },
    ),
    user_flow=text(_FLOW, required=False, rule="signin or signup"),
    return_url=text(
        _return_url,
        required=False,
        length=2000,
        rule="https:// and a host of SATYAPAN_RETURN_HOSTS, at most 2000 characters",
    ),
)
"""`return_url`: where the person is redirected after our return page."""
_NO_SUCH_ID = {
    (404, "verification_id_value_invalid"): AnswerMeaning.MISSING,
    (404, "reference_id_value_invalid"): AnswerMeaning.MISSING,
}
_GONE = ("url_expired", "session_expired", "consent_not_granted", "user_detail_mismatch")

DIGILOCKER = Kind(
    name="digilocker",
    title="Aadhaar, PAN and driving licence from DigiLocker, with consent",
    request=_REQUEST,
    operations={
        "cashfree": Operation(
            mode=Mode.JOURNEY,
            recovery=Recovery.READ,
            create=Route(
                "digilocker",
                "POST",
                "/digilocker",
                answers={
                    (409, "verification_id_value_invalid"): AnswerMeaning.DUPLICATE,
                    (400, "invalid_request"): RefusedField("document_requested"),
                },
            ),
            status=Route(
                "digilocker_status",
                "GET",
                "/digilocker",
                echoes=("reference_id",),
                answers=_NO_SUCH_ID,
            ),
            document=Route(
                "digilocker_document",
                "GET",
                "/digilocker/document/{item}",
                echoes=("reference_id",),
                answers={**_NO_SUCH_ID, **{(400, code): AnswerMeaning.GONE for code in _GONE}},
            ),
            status_map={
                "PENDING": State.PENDING,
                "AUTHENTICATED": State.DONE,
                "EXPIRED": State.EXPIRED,
                "CONSENT_DENIED": State.DENIED,
                "FAILED": State.FAILED,
            },
            own_fields=frozenset({"return_url"}),
            redirect_field="redirect_url",
            handoff_fields=("url",),
            requested_field="document_requested",
            items_field="document_consent",
            item_fields={"AADHAAR": "uid", "PAN": "pan", "DRIVING_LICENSE": "dl_number"},
            events={
                "DIGILOCKER_VERIFICATION_SUCCESS": "AUTHENTICATED",
                "DIGILOCKER_VERIFICATION_LINK_EXPIRED": "EXPIRED",
                "DIGILOCKER_VERIFICATION_CONSENT_DENIED": "CONSENT_DENIED",
                "DIGILOCKER_VERIFICATION_FAILURE": "FAILED",
                "DIGILOCKER_VERIFICATION_CONSENT_EXPIRED": "",
            },
            webhook_only_statuses=frozenset({"FAILED"}),
            link_life_s=600,
            data_life_s=3600,
        )
    },
    return_url_field="return_url",
    # A person waits for the link, and no read returns it. No source says that a create is free:
    # the lost one may have been paid for.
    lost_answer="reissue",
    public_fields=names("document_requested user_flow document_consent document_consent_validity"),
    result_fields=names(
        "verification_id reference_id status user_details document_requested"
        " document_consent document_consent_validity documents"
    ),
    labels={
        "AUTHENTICATED": "the person gave consent",
        "EXPIRED": "the link ran out before the person finished",
        "CONSENT_DENIED": "the person declined",
        "FAILED": "the vendor could not finish the journey",
    },
    example={"document_requested": ["AADHAAR", "PAN"]},
)
