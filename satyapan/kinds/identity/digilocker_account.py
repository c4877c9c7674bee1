"""DigiLocker account: whether a mobile number or an Aadhaar number has one.

Source: the vendor's page of DigiLocker's Verify Account. One synchronous, paid call whose answer
can't be read again. A repeat with the same id is refused, so it is safe but shows no result; the
409 has the code of a 400. The answer says which `user_flow` a `digilocker` verification needs.

The vendor masks the Aadhaar number in its answer. `mobile_number` may be a number there.
"""

from stdnum.in_ import aadhaar

from satyapan.kinds.fields import matches, names, needs_one_of, request, text
from satyapan.kinds.identity.mobile_number import IS_MOBILE_NUMBER
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, RefusedField, Route
from satyapan.records import State

_DIGITS = matches("[0-9]+", "Please enter aadhaar number in numeric format", code="aadhaar_invalid")

DIGILOCKER_ACCOUNT = Kind(
    name="digilocker_account",
    title="Whether a mobile number or an Aadhaar number has a DigiLocker account",
    request=request(
        needs_one_of(
            "mobile_number",
            "aadhaar_number",
            code="invalid_request",
            message="provide mobile_number or aadhaar_number.",
        ),
        mobile_number=text(IS_MOBILE_NUMBER, required=False, rule="a mobile number, in digits"),
        aadhaar_number=text(
            _DIGITS, required=False, rule="twelve digits", check_digit=aadhaar.is_valid
        ),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "digilocker_account",
                "POST",
                "/digilocker/verify-account",
                answers={
                    (409, "verification_id_value_invalid"): AnswerMeaning.DUPLICATE,
                    (400, "aadhaar_invalid"): RefusedField("aadhaar_number"),
                    (400, "invalid_request"): RefusedField("request"),
                },
            ),
            status_map={"ACCOUNT_EXISTS": State.DONE, "ACCOUNT_NOT_FOUND": State.DONE},
            unmasked_fields=frozenset({"mobile_number", "digilocker_id"}),
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "verification_id reference_id mobile_number aadhaar_number status digilocker_id"
    ),
    labels={
        "ACCOUNT_EXISTS": "there is an account: user_flow is signin",
        "ACCOUNT_NOT_FOUND": "there is no account: user_flow is signup",
    },
    example={"mobile_number": "1234567899"},
)
