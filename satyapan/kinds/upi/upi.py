"""UPI: whether a UPI address (VPA) exists, and the name of its holder.

Source: the vendor's UPI v2 pages. One synchronous, paid call; a lost answer is read by our id.

All four statuses are answers, EXPIRED too: the address was valid once. With a status other than
VALID, `name_at_bank` is null.
"""

from satyapan.kinds.fields import names, request
from satyapan.kinds.identity.person_name import PERSON_NAME
from satyapan.kinds.model import (
    REPEATED_ID,
    AnswerMeaning,
    Kind,
    Mode,
    Operation,
    Recovery,
    RefusedField,
    Route,
)
from satyapan.kinds.upi.vpa import VPA
from satyapan.records import State

UPI = Kind(
    name="upi",
    title="UPI address (VPA), and whose it is",
    request=request(vpa=VPA, name=PERSON_NAME),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.READ,
            create=Route(
                "upi",
                "POST",
                "/upi",
                answers={
                    **REPEATED_ID,
                    (400, "vpa_unsupported"): RefusedField("vpa"),
                },
            ),
            status=Route(
                "upi_read",
                "GET",
                "/upi",
                answers={(404, "verification_id_not_found"): AnswerMeaning.MISSING},
            ),
            status_map=dict.fromkeys(
                ("VALID", "INVALID", "EXPIRED", "NPCI_NAME_INCORRECT"), State.DONE
            ),
        )
    },
    public_fields=frozenset(),
    result_fields=names("verification_id reference_id status name_at_bank vpa"),
    labels={
        "VALID": "the address exists",
        "INVALID": "no such address",
        "EXPIRED": "the address was valid once, and has expired",
        "NPCI_NAME_INCORRECT": "the holder's name is missing or wrong at the source",
    },
    example={"vpa": "success@upi", "name": "John Doe"},
)
