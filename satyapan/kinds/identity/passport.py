"""Passport: one synchronous, paid call whose answer can't be read again.

Source: the vendor's Verify Passport page. A repeat with the same id is refused, so it is safe but
shows no result. There is no pattern for file numbers; an INVALID answer has null fields.
"""

from satyapan.kinds.fields import date, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

PASSPORT = Kind(
    name="passport",
    title="Indian passport by application file number",
    request=request(file_number=text(), dob=date(), name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("passport", "POST", "/passport", answers=REPEATED_ID),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("application_type"),
    result_fields=names(
        "verification_id reference_id status file_number name dob"
        " application_type application_received_date"
    ),
    labels={"VALID": "the passport exists", "INVALID": "no such passport"},
    example={"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"},
)
