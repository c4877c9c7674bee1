"""PAN: whether it exists, and the name that the tax department has for it.

Source: the vendor's Verify PAN and Get PAN Status pages. The call takes no id of ours, so it is
never repeated: if its answer is lost, the verification is parked for a person. Only an error that
names the vendor's reference can be recovered from, because the answer can be read by it. The same
request under two keys is paid for twice.

VALID and INVALID are the reply's `valid`. `pan_status` may say DELETED or DEACTIVATED. The vendor's
example of a business spells `registered_name` as `registered_nam`: read both. `name_match_score` is
a number in the examples and a text in the schema.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

PAN = Kind(
    name="pan",
    title="PAN by number, and whose it is",
    request=request(pan=PAN_NUMBER, name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REFERENCE,
            create=Route(
                "pan",
                "POST",
                "/pan",
                per_minute=200,
                id_param="",
                echo_field="",
                echoes=("pan",),
                any_case=True,
                status_field="valid",
            ),
            status=Route(
                "pan_read",
                "GET",
                "/pan/{reference}",
                id_param="",
                echo_field="",
                echoes=("pan", "reference_id"),
                any_case=True,
                status_field="valid",
                answers={(404, "referenceId_not_found"): AnswerMeaning.MISSING},
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("valid type pan_status name_match_result aadhaar_seeding_status"),
    result_fields=names(
        "pan type reference_id name_provided registered_name registered_nam valid father_name"
        " message name_match_score name_match_result aadhaar_seeding_status last_updated_at"
        " name_pan_card pan_status aadhaar_seeding_status_desc"
    ),
    labels={"VALID": "the PAN exists", "INVALID": "no such PAN"},
    example={"pan": "ABCPV1234D", "name": "JOHN DOE"},
)
