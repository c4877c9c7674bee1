"""Driving licence: one synchronous, paid call whose answer can't be read again.

Source: the vendor's Driving License Verification page. A repeat with the same id is refused, so it
is safe but shows no result. The page says that some numbers are refused, and not which; an INVALID
answer has null fields.

`photo` in `details_of_driving_licence` is a link. The page doesn't say how long it works. The
result keeps it as it came.
"""

from satyapan.kinds.fields import date, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, RefusedField, Route
from satyapan.records import State

DRIVING_LICENSE = Kind(
    name="driving_license",
    title="Driving licence by number and date of birth",
    request=request(dl_number=text(), dob=date()),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "driving_license",
                "POST",
                "/driving-license",
                answers={
                    **REPEATED_ID,
                    (400, "driving_license_value_invalid"): RefusedField("dl_number"),
                },
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "verification_id reference_id status dl_number dob badge_details dl_validity"
        " details_of_driving_licence"
    ),
    labels={"VALID": "the licence exists", "INVALID": "no such licence"},
    example={"dl_number": "KA0120198900984", "dob": "1994-08-05"},
)
