"""A toy, JOURNEY without documents: a person pays by one of several links, or declines."""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

TOY_PAY = Kind(
    name="toy_pay",
    title="A toy: a payment by a person",
    request=request(name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.JOURNEY,
            recovery=Recovery.READ,
            create=Route(
                "toy_pay",
                "POST",
                "/toy/pay",
                implied_status=("link", "CREATED"),
                answers={(400, "invalid_verification_id"): AnswerMeaning.DUPLICATE},
            ),
            status=Route(
                "toy_pay_read",
                "GET",
                "/toy/pay",
                answers={(400, "invalid_request"): AnswerMeaning.MISSING},
            ),
            status_map={
                "CREATED": State.PENDING,
                "SUCCESS": State.DONE,
                "FAILURE": State.FAILED,
                "EXPIRED": State.EXPIRED,
            },
            redirect_field="redirect_url",
            handoff_fields=("link", "upi_link", "gpay", "qr_code"),
            deadline_field="valid_upto",
            unmasked_fields=frozenset({"bank_account", "utr"}),
            events={
                "TOY_PAY_SUCCESS": "SUCCESS",
                "TOY_PAY_FAILURE": "FAILURE",
                "TOY_PAY_EXPIRED": "EXPIRED",
            },
            link_life_s=600,
            data_life_s=3600,
        )
    },
    public_fields=names("added_on processed_on reversal_status account_type"),
    result_fields=names(
        "verification_id ref_id status added_on processed_on bank_account ifsc upi"
        " name_at_bank utr reversal_status account_type"
    ),
    labels={
        "SUCCESS": "the person paid, and the account is theirs",
        "FAILURE": "the person declined",
        "EXPIRED": "nobody paid in time",
    },
    example={"name": "John Doe"},
)
