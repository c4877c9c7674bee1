"""Bank account: whether it exists, and whose it is.

Source: the vendor's pages Bank Account Verification Async V2 and Sync V2, Get BAV Status V2, BAV
Response Description. The usual operation takes an id of ours, refuses a repeat and can be read: a
lost answer is recovered, and paid for once. It is PENDING while the vendor asks the banks.

The operation `sync` answers at once, but takes no id of ours: it is never repeated, and a lost
answer is parked for a person. Only an error, or a garbled answer, that names the vendor's reference
can be recovered from. The same request under two keys is paid for twice.

DONE means an answer about the account, also a negative one. FAILED means that nothing was found
out, because the vendor, your balance there or a bank stood in the way: submit it under another key,
later. Whether FAILED is charged is unknown. Errors with HTTP status 422 are such answers too; the
result is then the error. Only after `connection_timeout` of `sync` the answer is read, because a
bank may have been asked.

The vendor says FRAUD_ACCOUNT also after too many verifications of one account in a day.
INSUFFICIENT_BALANCE ends one verification. The common error of that name holds all calls; this
status doesn't.

The vendor lists more words, without saying what code comes with them: APPROVAL_PENDING,
PARTIALLY_APPROVED, IN_PROCESS, PROCESSING, CANCELLED, MANUALLY_REJECTED. They are parked.
`name_match_score` and `name_match_result` need a `name` in the request. `utr` may be absent: the
vendor can verify without a payment.
"""

from typing import Final

from satyapan.kinds.bank import account_fields as account
from satyapan.kinds.fields import names, request
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

_MISSING: Final = {
    (404, "user_id_not_found"): AnswerMeaning.MISSING,
    (404, "reference_id_not_found"): AnswerMeaning.MISSING,
}

BANK_ACCOUNT = Kind(
    name="bank_account",
    title="Bank account by number and IFSC, and whose it is",
    request=request(
        bank_account=account.BANK_ACCOUNT, ifsc=account.IFSC, name=account.NAME, phone=account.PHONE
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.ASYNC,
            recovery=Recovery.READ,
            create=Route(
                "bank_account_async",
                "POST",
                "/bank-account/async",
                id_param="user_id",
                echo_field="user_id",
                status_field=account.STATUS_FIELD,
                answers={
                    (400, "user_id_already_exists"): AnswerMeaning.DUPLICATE,
                    (422, "invalid_ifsc_fail"): Result("INVALID/INVALID_IFSC_FAIL"),
                    (422, "fraud_account"): Result("REJECTED/FRAUD_ACCOUNT"),
                },
            ),
            status=Route(
                "bank_account",
                "GET",
                "/bank-account",
                id_param="user_id",
                echo_field="",
                echoes=("reference_id",),
                status_field=account.STATUS_FIELD,
                answers=_MISSING,
            ),
            status_map=account.STATUS_MAP,
            id_pattern=WORD_ID,
            unmasked_fields=account.UNMASKED,
            events={
                "BANK_ACCOUNT_VERIFICATION_SUCCESS": "",
                "BANK_ACCOUNT_VERIFICATION_REJECTED": "",
                "BANK_ACCOUNT_VERIFICATION_FAILED": "",
            },
            webhook_id_field="user_id",
        ),
        "cashfree/sync": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REFERENCE,
            create=Route(
                "bank_account_sync",
                "POST",
                "/bank-account/sync",
                id_param="",
                echo_field="",
                status_field=account.STATUS_FIELD,
                answers={
                    (422, "fraud_account"): Result("REJECTED/FRAUD_ACCOUNT"),
                    (422, "verification_already_under_process"): Result(
                        "REJECTED/VERIFICATION_ALREADY_UNDER_PROCESS"
                    ),
                    (422, "failed_at_bank"): Result("FAILED/FAILED_AT_BANK"),
                    (422, "imps_mode_fail"): Result("FAILED/IMPS_MODE_FAIL"),
                    (422, "bene_bank_declined"): Result("FAILED/BENE_BANK_DECLINED"),
                    (422, "source_bank_declined"): Result("FAILED/SOURCE_BANK_DECLINED"),
                    (422, "connection_timeout"): AnswerMeaning.UNKNOWN,
                    (422, "npci_unavailable"): Result("FAILED/NPCI_UNAVAILABLE"),
                    # The vendor's spelling of this one.
                    (422, "benficiary_bank_offline"): Result("FAILED/BENEFICIARY_BANK_OFFLINE"),
                },
            ),
            status=Route(
                "bank_account",
                "GET",
                "/bank-account",
                id_param="",
                reference_param="reference_id",
                echo_field="",
                echoes=("reference_id",),
                status_field=account.STATUS_FIELD,
                answers=_MISSING,
            ),
            status_map=account.STATUS_MAP,
            unmasked_fields=account.UNMASKED,
        ),
    },
    public_fields=names("account_status account_status_code name_match_result"),
    result_fields=names(
        "reference_id name_at_bank bank_name utr city branch micr name_match_score"
        " name_match_result account_status account_status_code"
    ),
    labels=account.LABELS,
    example={"bank_account": "026291800001191", "ifsc": "YESB0000262", "name": "John Doe"},
)
