"""GSTIN: whether a business is registered for GST, and what the register says of it.

Source: the vendor's Verify GSTIN page. The call takes no id of ours, and its answer can't be read
again, so it is never repeated: if the answer is lost, the verification is parked for a person. The
same request under two keys is paid for twice.

The request's field is GSTIN, in capitals, as the vendor calls it in requests, replies and refusals.
VALID and INVALID are the reply's `valid`; the reply about an unknown GSTIN has none, only the
number and a message. VALID doesn't say that the registration is active: see `gst_in_status`. The
vendor refuses some signs in `business_name`, its page doesn't say which.
"""

from stdnum.in_ import gstin

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_GSTIN = matches(
    "[0-9]{2}[A-Za-z0-9]{13}",
    "{name} first 2 digits should be numeric and length should not exceed 15 and should be"
    " alphanumeric.",
)

GSTIN = Kind(
    name="gstin",
    title="Business by its GSTIN",
    request=request(
        GSTIN=text(_GSTIN, rule="two digits, 13 letters or digits", check_digit=gstin.is_valid),
        business_name=text(required=False),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route(
                "gstin",
                "POST",
                "/gstin",
                id_param="",
                echo_field="",
                echoes=("GSTIN",),
                any_case=True,
                status_field="valid",
                # Not `message`, which any reply may have.
                implied_status=("GSTIN", "INVALID"),
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("valid gst_in_status taxpayer_type constitution_of_business"),
    result_fields=names(
        "reference_id GSTIN legal_name_of_business trade_name_of_business center_jurisdiction"
        " state_jurisdiction date_of_registration constitution_of_business taxpayer_type"
        " gst_in_status last_update_date nature_of_business_activities principal_place_address"
        " principal_place_split_address additional_address_array valid message"
    ),
    labels={"VALID": "the GSTIN exists: see gst_in_status", "INVALID": "no such GSTIN"},
    example={"GSTIN": "29AAICP2912R1ZR", "business_name": "UJJIVAN SMALL FINANCE BANK"},
)
