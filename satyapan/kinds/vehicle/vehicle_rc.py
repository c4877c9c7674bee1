"""Vehicle registration certificate: one synchronous, paid call; its answer can be read again.

Source: the vendor's Vehicle RC Verification and Get Vehicle RC Status pages. A lost answer is read
by our id. The page says that some numbers are refused, and not which. Dates are DD/MM/YYYY. An
INVALID answer has null fields. The colour comes as `vehicle_color` or `vehicle_colour`: the page
has both.
"""

from satyapan.kinds.fields import names, request, text
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
from satyapan.records import State

VEHICLE_RC = Kind(
    name="vehicle_rc",
    title="Registration certificate of a vehicle by its number",
    request=request(vehicle_number=text()),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.READ,
            create=Route(
                "vehicle_rc",
                "POST",
                "/vehicle-rc",
                answers={
                    **REPEATED_ID,
                    (400, "vehicle_rc_value_invalid"): RefusedField("vehicle_number"),
                },
            ),
            status=Route(
                "vehicle_rc_read",
                "GET",
                "/vehicle-rc",
                answers={(404, "verification_id_not_found"): AnswerMeaning.MISSING},
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
            unmasked_fields=frozenset(
                names(
                    "chassis engine mobile_number vehicle_insurance_policy_number pucc_number"
                    " permit_number national_permit_number"
                )
            ),
        )
    },
    public_fields=names(
        "rc_status blacklist_status non_use_status is_commercial vehicle_category type"
        " norms_type permit_type"
    ),
    result_fields=names(
        "verification_id reference_id status reg_no class chassis engine vehicle_manufacturer_name"
        " model vehicle_color vehicle_colour type norms_type body_type owner_count owner"
        " owner_father_name mobile_number rc_status status_as_on reg_authority reg_date"
        " vehicle_manufacturing_month_year rc_expiry_date vehicle_tax_upto"
        " vehicle_insurance_company_name vehicle_insurance_upto vehicle_insurance_policy_number"
        " rc_financer present_address split_present_address permanent_address"
        " split_permanent_address vehicle_cubic_capacity gross_vehicle_weight unladen_weight"
        " vehicle_category rc_standard_cap vehicle_cylinders_no vehicle_seat_capacity"
        " vehicle_sleeper_capacity vehicle_standing_capacity wheelbase vehicle_number pucc_number"
        " pucc_upto blacklist_status blacklist_details challan_details permit_issue_date"
        " permit_number permit_type permit_valid_from permit_valid_upto non_use_status"
        " non_use_from non_use_to national_permit_number national_permit_upto"
        " national_permit_issued_by is_commercial noc_details"
    ),
    labels={"VALID": "the vehicle is registered", "INVALID": "no such registration"},
    example={"vehicle_number": "HJ01ME5678"},
)
