"""Voter ID: one synchronous, paid call whose answer can't be read again.

Source: the vendor's Voter ID Verification page. A repeat with the same id is refused, so it is safe
but shows no result. There is no pattern for EPIC numbers, and their check digit isn't looked at:
that of the vendor's valid example is wrong. An INVALID answer has null fields.

`photo`, which newer answers have, is a link that works for 86,400 seconds. The result keeps the
link as it came, not the picture: fetch it within a day.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

VOTER_ID = Kind(
    name="voter_id",
    title="Voter ID by its EPIC number",
    request=request(epic_number=text(), name=text(required=False, length=50)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("voter_id", "POST", "/voter-id", answers=REPEATED_ID),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "verification_id reference_id status epic_number name name_in_regional_lang age"
        " relation_type relation_name relation_name_in_regional_lang father_name dob gender"
        " address split_address photo state assembly_constituency_number assembly_constituency"
        " parliamentary_constituency_number parliamentary_constituency part_number part_name"
        " serial_number polling_station"
    ),
    labels={"VALID": "the voter ID exists", "INVALID": "no such voter ID"},
    example={"epic_number": "UAI4574761", "name": "John Doe"},
)
