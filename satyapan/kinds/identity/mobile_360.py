"""Mobile 360 lite: name and UPI address of whoever has a mobile number, without an OTP.

Source: the vendor's Mobile 360 page (`/mobile360/otpless`). One synchronous, paid call whose answer
can't be read again. A repeat with the same id is refused, so it is safe but shows no result.

The vendor enables this for regulated customers only. `consent_desc` says what the person agreed to;
obtaining the consent is the caller's duty. An INVALID answer has null fields.
"""

from satyapan.kinds.fields import at_least, names, one_of, request, text
from satyapan.kinds.identity.mobile_number import IS_MOBILE_NUMBER
from satyapan.kinds.identity.person_name import PERSON_NAME
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

MOBILE_360 = Kind(
    name="mobile_360",
    title="Name and UPI address of whoever has a mobile number",
    request=request(
        mobile_number=text(IS_MOBILE_NUMBER, rule="a mobile number, in digits"),
        name=PERSON_NAME,
        type=text(one_of(("lite", "advance"), "{name} should be lite/advance."), rule="lite"),
        consent_desc=text(at_least(20), length=50, rule="20 to 50 characters"),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("mobile_360", "POST", "/mobile360/otpless", answers=REPEATED_ID),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
            unmasked_fields=frozenset({"vpa"}),
        )
    },
    public_fields=names("type"),
    result_fields=names("verification_id reference_id status name vpa ifsc ifsc_details"),
    labels={"VALID": "the number was found", "INVALID": "nothing is known about this number"},
    example={
        "mobile_number": "9988777666",
        "name": "John Doe",
        "type": "lite",
        "consent_desc": "Fetching data of customer XYZ",
    },
)
