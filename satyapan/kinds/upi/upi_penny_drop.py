"""UPI penny drop: a payment of one rupee to a UPI address (VPA) shows the bank account behind it.

Source: the vendor's UPI Penny Drop page. One synchronous, paid call whose answer can't be read
again. No page says that the vendor refuses a repeated id, so the call is never repeated: if the
answer is lost, the verification is parked for a person.

The consent may be five minutes old when the vendor gets it. The page shows no negative status and
no list of errors: another status than these two is parked as `unknown_status`. VALID is the
status of the page's sample, SUCCESS that of its text.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.upi import penny_drop
from satyapan.kinds.upi.vpa import VPA
from satyapan.records import State

UPI_PENNY_DROP = Kind(
    name="upi_penny_drop",
    title="Bank account behind a UPI address (VPA), by a payment of one rupee",
    request=request(vpa=VPA, name=text(required=False), user_consent=penny_drop.USER_CONSENT),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route("upi_penny_drop", "POST", "/upi/penny-drop"),
            status_map={"VALID": State.DONE, "SUCCESS": State.DONE},
            max_age_s=penny_drop.MAX_AGE_S,
            unmasked_fields=penny_drop.UNMASKED_FIELDS,
        )
    },
    public_fields=names("name_match_result"),
    result_fields=penny_drop.RESULT_FIELDS,
    labels=dict.fromkeys(("VALID", "SUCCESS"), "the rupee arrived: see name_match_result"),
    example={"vpa": "success@upi", "name": "John Doe", "user_consent": penny_drop.CONSENT_EXAMPLE},
)
