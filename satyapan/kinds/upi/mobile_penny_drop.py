"""Mobile penny drop: a payment of one rupee to a mobile number shows the bank account behind it.

Source: the vendor's Mobile Penny Drop page. One synchronous, paid call whose answer can't be read
again. No page says that the vendor refuses a repeated id, so the call is never repeated: if the
answer is lost, the verification is parked for a person.

The consent may be five minutes old when the vendor gets it. The page shows no negative status and
no list of errors: another status than these two is parked as `unknown_status`. VALID is the
status of the page's sample, SUCCESS that of its text. `mobile_number` is a text, as the page's
schema says; its sample sends a number.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.identity.mobile_number import IS_MOBILE_NUMBER
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.upi import penny_drop
from satyapan.records import State

MOBILE_PENNY_DROP = Kind(
    name="mobile_penny_drop",
    title="Bank account behind a mobile number, by a payment of one rupee",
    request=request(
        mobile_number=text(IS_MOBILE_NUMBER, rule="a mobile number, in digits"),
        name=text(required=False),
        user_consent=penny_drop.USER_CONSENT,
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route("mobile_penny_drop", "POST", "/mobile/penny-drop"),
            status_map={"VALID": State.DONE, "SUCCESS": State.DONE},
            max_age_s=penny_drop.MAX_AGE_S,
            unmasked_fields=penny_drop.UNMASKED_FIELDS | {"mobile_number", "vpa"},
        )
    },
    public_fields=names("name_match_result account_type"),
    result_fields=(*penny_drop.RESULT_FIELDS, "mobile_number", "account_type"),
    labels=dict.fromkeys(("VALID", "SUCCESS"), "the rupee arrived: see name_match_result"),
    example={
        "mobile_number": "9988123456",
        "name": "John Doe",
        "user_consent": penny_drop.CONSENT_EXAMPLE,
    },
)
