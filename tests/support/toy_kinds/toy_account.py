"""A toy, ASYNC with READ: the vendor accepts a bank account, and answers some seconds later."""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import (
    WORD_ID,
    AnswerMeaning,
    Kind,
    Mode,
    Operation,
    Recovery,
    Result,
    Route,
)
from satyapan.records import State

_IFSC = matches("[A-Z]{4}0[A-Z0-9]{6}", "{name} should be four letters, 0 and six characters.")
_STATUS = ("account_status", "account_status_code")

TOY_ACCOUNT = Kind(
    name="toy_account",
    title="A toy: a bank account, answered later",
    request=request(bank_account=text(length=40), ifsc=text(_IFSC), name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.ASYNC,
            recovery=Recovery.READ,
            create=Route(
                "toy_account",
                "POST",
                "/toy/account",
                id_param="user_id",
                echo_field="",
                status_field=_STATUS,
                answers={
                    (400, "user_id_already_exists"): AnswerMeaning.DUPLICATE,
                    (422, "fraud_account"): Result("REJECTED/FRAUD_ACCOUNT"),
                },
            ),
            status=Route(
                "toy_account_read",
                "GET",
                "/toy/account",
                id_param="user_id",
                echo_field="",
                echoes=("reference_id",),
                status_field=_STATUS,
                answers={(404, "user_id_not_found"): AnswerMeaning.MISSING},
            ),
            status_map={
                "RECEIVED/VALIDATION_IN_PROGRESS": State.PENDING,
                "VALID/ACCOUNT_IS_VALID": State.DONE,
                "INVALID/INVALID_ACCOUNT_FAIL": State.DONE,
                "REJECTED/FRAUD_ACCOUNT": State.DONE,
            },
            id_pattern=WORD_ID,
            unmasked_fields=frozenset({"utr"}),
            events={"TOY_ACCOUNT_SUCCESS": ""},
            webhook_id_field="user_id",
        )
    },
    public_fields=names("account_status account_status_code"),
    result_fields=names(
        "reference_id name_at_bank bank_name utr name_match_score name_match_result"
        " account_status account_status_code"
    ),
    labels={
        "VALID/ACCOUNT_IS_VALID": "the account exists",
        "INVALID/INVALID_ACCOUNT_FAIL": "no such account",
        "REJECTED/FRAUD_ACCOUNT": "the account is known for fraud",
    },
    example={"bank_account": "026291800001191", "ifsc": "YESB0000262", "name": "John Doe"},
)
