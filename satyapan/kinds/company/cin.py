"""CIN: a company by its corporate identification number, and its directors.

Source: the vendor's Verify CIN page. One synchronous, paid call whose answer can't be read again. A
repeat with the same id is refused, so it is safe but shows no result.

VALID doesn't say that the company is active: see `cin_status`. `director_details` has the `din`,
name, date of birth, designation and address of each director. An INVALID answer has null fields and
no directors.
"""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_CIN = matches(
    "[A-Za-z][0-9]{5}[A-Za-z]{2}[0-9]{4}[A-Za-z]{3}[0-9]{6}",
    "{name} should be of 21 character alphanumeric string of format (X00000XX0000XXX000000).",
)

CIN = Kind(
    name="cin",
    title="Company by its CIN, with its directors",
    request=request(cin=text(_CIN, rule="of the form X00000XX0000XXX000000")),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("cin", "POST", "/cin", answers=REPEATED_ID),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("cin_status"),
    result_fields=names(
        "verification_id reference_id status cin company_name registration_number"
        " incorporation_date cin_status email incorporation_country director_details"
    ),
    labels={"VALID": "the company exists: see cin_status", "INVALID": "no such company"},
    example={"cin": "U72900KA2015PTC082988"},
)
