"""IFSC: a bank's branch by its code, and which transfers it takes part in.

Source: the vendor's Verify IFSC page. One synchronous, paid call whose answer can't be read again.
A repeat with the same id is refused, so it is safe but shows no result.

The vendor answers a code that no branch has with the error 404 `ifsc_not_found`. That is an answer
and no refusal: DONE with the status NOT_FOUND, a word of ours. Its result is the vendor's error.
"""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Result, Route
from satyapan.records import State

_IFSC = matches("[A-Za-z0-9]{4}0[A-Za-z0-9]{6}", "{name} should be valid.")

IFSC = Kind(
    name="ifsc",
    title="Branch of a bank by its IFSC",
    request=request(ifsc=text(_IFSC, rule="11 letters or digits, the fifth is 0")),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "ifsc",
                "POST",
                "/ifsc",
                answers={
                    **REPEATED_ID,
                    (404, "ifsc_not_found"): Result("NOT_FOUND"),
                },
            ),
            status_map={"VALID": State.DONE, "NOT_FOUND": State.DONE},
        )
    },
    public_fields=names("neft imps rtgs upi ft card category"),
    result_fields=names(
        "verification_id reference_id status bank ifsc neft imps rtgs upi ft card micr nbin"
        " address city state branch ifsc_subcode category swift_code"
    ),
    labels={"VALID": "the branch exists", "NOT_FOUND": "no branch has this IFSC"},
    example={"ifsc": "HDFC0000001"},
)
