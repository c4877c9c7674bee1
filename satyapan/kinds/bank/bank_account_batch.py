"""Many bank accounts in one call: whether each exists, and whose it is.

Source: the vendor's pages Bulk Bank Account Verification V2 and Get Bulk BAV Status V2. The vendor
works on after the call. PROCESSED is the answer: no entry is in process any more. What
`account_status` and `account_status_code` of an entry say, `bank_account` describes: an entry may
have failed, and can be submitted again in another batch, later. A batch with a word that
`bank_account` doesn't know is parked for a person.

An id of ours is sent, a repeat with it is refused, and the status can be read by it: a lost answer
is recovered, and paid for once. Whether the vendor charges for a call or for each entry is unknown.

A batch has at most 1,000 entries: the vendor's published refusal says so. A newer text says 10,000,
which a request can't hold. The vendor's texts count entries from 1.
"""

from satyapan.kinds.bank import account_fields as account
from satyapan.kinds.entry_fields import Bound, entries
from satyapan.kinds.entry_statuses import PROCESSED, PROCESSING, EntryStatuses
from satyapan.kinds.fields import names, nested, request
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_ENTRY = nested(
    "a bank account",
    bank_account=account.BANK_ACCOUNT,
    ifsc=account.IFSC,
    name=account.NAME,
    phone=account.PHONE,
)
_LEAST = Bound(1, "entries_length_short", "Please provide at least one bank account entry")
_MOST = Bound(
    1000,
    "entries_length_exceeded",
    "The maximum number of entries allowed per request is 1000",
)

BANK_ACCOUNT_BATCH = Kind(
    name="bank_account_batch",
    title="Bank accounts in one call, and whose they are",
    request=request(
        entries=entries(
            _ENTRY, least=_LEAST, most=_MOST, rule="a list of 1 to 1,000 entries", numbered=True
        )
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.ASYNC,
            recovery=Recovery.READ,
            create=Route(
                "bank_account_batch",
                "POST",
                "/bank-account/bulk",
                per_minute=5,
                id_param="bulk_verification_id",
                echo_field="bulk_verification_id",
                answers={
                    (409, "bulk_verification_id_value_invalid"): AnswerMeaning.DUPLICATE,
                },
            ),
            status=Route(
                "bank_account_batch_read",
                "GET",
                "/bank-account/bulk",
                id_param="bulk_verification_id",
                echo_field="bulk_verification_id",
                entry_statuses=EntryStatuses(account.STATUS_FIELD, account.STATUS_MAP),
                answers={(404, "bulk_verification_id_not_found"): AnswerMeaning.MISSING},
            ),
            status_map={
                "RECEIVED": State.PENDING,
                PROCESSING: State.PENDING,
                PROCESSED: State.DONE,
            },
            unmasked_fields=account.UNMASKED,
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "bulk_reference_id bulk_verification_id entries entries[].bank_account entries[].ifsc"
        " entries[].name entries[].phone entries[].reference_id entries[].name_at_bank"
        " entries[].bank_name entries[].utr entries[].city entries[].branch entries[].micr"
        " entries[].name_match_score entries[].name_match_result entries[].account_status"
        " entries[].account_status_code"
    ),
    labels={
        "RECEIVED": "accepted",
        PROCESSING: "the vendor is verifying the entries",
        PROCESSED: "each entry has its answer",
    },
    example={
        "entries": [
            {"bank_account": "026291800001191", "ifsc": "YESB0000262", "name": "John Doe"},
            {"bank_account": "7766666585146", "ifsc": "YESB0000001"},
        ],
    },
)
