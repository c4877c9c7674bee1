"""PAN to Udyam: the Udyam number that is registered under a PAN.

Source: the vendor's Fetch Udyam with PAN page. Nothing says that the vendor refuses a repeat with
the same id, so the call is never repeated: if its answer is lost, the verification is parked for a
person.

The page's text says SUCCESS where its example says VALID; both mean that a number was found.
"""

from satyapan.kinds.fields import names, request
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

PAN_UDYAM = Kind(
    name="pan_udyam",
    title="Udyam number that is registered under a PAN",
    request=request(pan=PAN_NUMBER),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route("pan_udyam", "POST", "/pan-udyam"),
            status_map=dict.fromkeys(
                ("SUCCESS", "VALID", "UDYAM_NOT_FOUND", "UDYAM_IS_CANCELLED"), State.DONE
            ),
        )
    },
    public_fields=frozenset(),
    result_fields=names("verification_id reference_id status pan udyam"),
    labels={
        "SUCCESS": "there is a number: see udyam",
        "VALID": "there is a number: see udyam",
        "UDYAM_NOT_FOUND": "no number is registered under this PAN",
        "UDYAM_IS_CANCELLED": "the registration was cancelled",
    },
    example={"pan": "ABCPV1234D"},
)
