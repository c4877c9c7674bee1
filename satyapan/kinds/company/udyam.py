"""Udyam: a small enterprise by the number of its registration.

Source: the vendor's Verify Udyam page. Nothing says that the vendor refuses a repeat with the same
id, so the call is never repeated: if its answer is lost, the verification is parked for a person.

The page had two forms of the answer, and which one an account gets is unknown. SUCCESS has the
enterprise's fields at the top, VALID has them in `enterprise_data`. The status of a number that
doesn't exist isn't published: such a verification is parked as `unknown_status`. The link in
`udyam_certificate_url` expires. The text that refuses a number of another form is ours.
"""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_UDYAM = matches(
    "UDYAM-[A-Z]{2}-[0-9]{2}-[0-9]{7}", "{name} should be of the form UDYAM-XX-00-0000000."
)

UDYAM = Kind(
    name="udyam",
    title="Enterprise by its Udyam number",
    request=request(udyam=text(_UDYAM, rule="of the form UDYAM-XX-00-0000000")),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route("udyam", "POST", "/udyam"),
            status_map={"SUCCESS": State.DONE, "VALID": State.DONE},
        )
    },
    public_fields=names("organization_type enterprise_type major_activity"),
    result_fields=names(
        "verification_id reference_id status udyam_number enterprise_name owner_name"
        " organization_type major_activity gender social_category date_of_incorporation"
        " date_of_commencement date_of_udyam_registration enterprise_type classification_year"
        " classification_date udyam_certificate_url classification_history split_address"
        " unit_locations udyam message enterprise_data enterprise_type_data nic_data"
    ),
    labels={
        "SUCCESS": "the enterprise is registered",
        "VALID": "the enterprise is registered: see enterprise_data",
    },
    example={"udyam": "UDYAM-UP-43-1234567"},
)
