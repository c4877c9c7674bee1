"""Employment: where a person works and has worked, by the provident fund's records.

Source: the vendor's Get Employment Details page. One synchronous, paid call whose answer can't be
read again. A repeat with the same id is refused, so it is safe but shows no result.

The page doesn't say which fields belong together. Its examples have a phone or a UAN, alone or with
others, or a date of birth with the employee's name. A PAN alone, or both names, are left to the
vendor, which refuses combinations as `input_combination_invalid`. The page lists no errors for the
form of a phone, PAN or UAN.
"""

from satyapan.kinds.fields import date, names, needs_one_of, request, text
from satyapan.kinds.model import (
    REPEATED_ID,
    Kind,
    Mode,
    Operation,
    Recovery,
    RefusedField,
    Route,
)
from satyapan.records import State

_INVALID = "input_combination_invalid"
_RULE = needs_one_of(
    "phone",
    "uan",
    "pan",
    "dob employee_name",
    "employee_name employer_name",
    code=_INVALID,
    message="provided input combination is not valid",
)
_OPTIONAL = text(required=False)

ADVANCE_EMPLOYMENT = Kind(
    name="advance_employment",
    title="Employment of a person, by the provident fund's records",
    request=request(
        _RULE,
        phone=_OPTIONAL,
        pan=_OPTIONAL,
        uan=_OPTIONAL,
        dob=date(required=False),
        employee_name=_OPTIONAL,
        employer_name=_OPTIONAL,
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "advance_employment",
                "POST",
                "/advance-employment",
                answers={
                    **REPEATED_ID,
                    (400, _INVALID): RefusedField("request"),
                },
            ),
            status_map={"SUCCESS": State.DONE, "EMPLOYMENT_DETAILS_NOT_FOUND": State.DONE},
            unmasked_fields=frozenset({"uan", "phone", "bank_account"}),
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "verification_id reference_id status input uan_details recent_employment_details"
    ),
    labels={
        "SUCCESS": "records were found",
        "EMPLOYMENT_DETAILS_NOT_FOUND": "no records were found",
    },
    example={"uan": "101340612345"},
)
