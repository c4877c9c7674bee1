"""PAN lite: whether a PAN, a name and a date of birth belong together.

Source: the vendor's PAN Lite page. One synchronous, paid call whose answer can't be read again. A
repeat with the same id is refused, so it is safe but shows no result. The page lists no error for
the format of a PAN, only the format.

`pan_status` is a code. With VALID: E, or E and a letter for a holder that ended or changed (ED is
death, EC acquisition). With INVALID: N no such PAN, X deactivated, F fake, D deleted. It is
private, because it may say that a person died.
`name` and `dob` repeat the request; `name_match` and `dob_match` are Y or N.
"""

from satyapan.kinds.fields import date, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

PAN_LITE = Kind(
    name="pan_lite",
    title="PAN with name and date of birth",
    request=request(pan=PAN_NUMBER, name=text(), dob=date()),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("pan_lite", "POST", "/pan-lite", answers=REPEATED_ID),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("name_match dob_match aadhaar_seeding_status"),
    result_fields=names(
        "reference_id verification_id pan name dob name_match dob_match pan_status status"
        " aadhaar_seeding_status aadhaar_seeding_status_desc"
    ),
    labels={
        "VALID": "the PAN exists: see name_match and dob_match",
        "INVALID": "no such PAN, or it is no longer valid: see pan_status",
    },
    example={"pan": "ABCTY1234D", "name": "John Doe", "dob": "1993-06-30"},
)
