"""Reverse penny drop: a person pays one rupee by UPI, which shows whose account it came from.

Source: the vendor's Reverse Penny Drop pages. The links work for 10 minutes, and the rupee is
returned within 48 hours; `reversal_status` says how far that is when the answer is read, and is not
followed. `upi_link` opens any UPI app, the others open one each, and `qr_code` is a picture (PNG,
base64). `url` is a page for browsers, with which a person is sent on to our return page: only the
newest page has it, so a reply may lack it.

FAILURE means that the payment failed: there is no account, and another payment needs a new
verification. Whether the vendor charges for the links or for the payment is not published, so lost
links are never bought again without a person who decides it.

`valid_upto` is in UTC in one example and without a zone in another. The latter is read as UTC too:
if it is India's time, an unpaid verification whose status stays CREATED ends 5 h 30 min later. The
status read answers 400 `invalid_request` to an id that the vendor doesn't know.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

REVERSE_PENNY_DROP = Kind(
    name="reverse_penny_drop",
    title="Bank account by a payment of one rupee from it",
    request=request(name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.JOURNEY,
            recovery=Recovery.READ,
            create=Route(
                "reverse_penny_drop",
                "POST",
                "/reverse-penny-drop",
                implied_status=("upi_link", "CREATED"),
                answers={(400, "invalid_verification_id"): AnswerMeaning.DUPLICATE},
            ),
            status=Route(
                "reverse_penny_drop_status",
                "GET",
                "/remitter/status",
                answers={(400, "invalid_request"): AnswerMeaning.MISSING},
            ),
            status_map={
                "CREATED": State.PENDING,
                "SUCCESS": State.DONE,
                "FAILURE": State.FAILED,
                "EXPIRED": State.EXPIRED,
            },
            redirect_field="redirect_url",
            handoff_fields=names("upi_link gpay phonepe paytm bhim qr_code url"),
            deadline_field="valid_upto",
            unmasked_fields=frozenset({"ref_id", "bank_account", "upi", "utr"}),
            events={
                f"RPD_BANK_ACCOUNT_VERIFICATION_{word}": word
                for word in ("SUCCESS", "FAILURE", "EXPIRED")
            },
            link_life_s=600,
            # For a payment of the last minute whose status comes late.
            data_life_s=3600,
        )
    },
    public_fields=names("ref_id account_type name_match_result reversal_status"),
    result_fields=names(
        "verification_id ref_id status bank_account ifsc upi name_at_bank account_type utr"
        " name_match_score name_match_result added_on processed_on penny_collected_on"
        " reversal_status"
    ),
    labels={
        "CREATED": "nobody has paid yet",
        "SUCCESS": "the person paid, and the account is known",
        "FAILURE": "the payment failed",
        "EXPIRED": "nobody paid in time",
    },
    example={"name": "John Doe"},
)
