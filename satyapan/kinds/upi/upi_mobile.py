"""UPI by mobile: the UPI addresses that are linked to a mobile number, and their holder's name.

Source: the vendor's UPI by mobile page. One synchronous, paid call whose answer can't be read
again. A repeat with the same id is refused, so it is safe but shows no result.

The status is a pair: `status` and `account_status`. FAILURE/UNABLE_TO_VALIDATE says nothing about
the number: the vendor couldn't check it this time. The verification ends FAILED and is not bought
again by itself: its id is taken for used up, and no page says that the call was free. To ask again,
submit a new verification.

An address in `additional_vpas` with twelve digits that look like an Aadhaar number is masked.
"""

from satyapan.kinds.fields import flag, names, request, text
from satyapan.kinds.identity.mobile_number import IS_MOBILE_NUMBER
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

UPI_MOBILE = Kind(
    name="upi_mobile",
    title="UPI addresses of a mobile number",
    request=request(
        mobile_number=text(IS_MOBILE_NUMBER, rule="a mobile number, in digits"),
        name=text(required=False),
        email=text(required=False, length=254),
        additional_vpas=flag("whether to list further addresses", required=False),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "upi_mobile",
                "POST",
                "/upi/mobile",
                status_field=("status", "account_status"),
                answers=REPEATED_ID,
            ),
            status_map={
                "SUCCESS/VALID": State.DONE,
                "SUCCESS/INVALID": State.DONE,
                "FAILURE/UNABLE_TO_VALIDATE": State.FAILED,
            },
            unmasked_fields=frozenset({"mobile_number", "vpa"}),
        )
    },
    public_fields=names("account_status"),
    result_fields=names(
        "verification_id reference_id status account_status message mobile_number vpa"
        " name_at_bank additional_vpas"
    ),
    labels={
        "SUCCESS/VALID": "an address is linked to the number",
        "SUCCESS/INVALID": "no address is linked to the number",
        "FAILURE/UNABLE_TO_VALIDATE": "it couldn't be checked this time: submit a new verification",
    },
    example={"mobile_number": "6666666666", "name": "John Doe", "additional_vpas": True},
)
