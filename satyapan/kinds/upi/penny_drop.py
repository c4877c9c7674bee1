"""What the penny drops share: the consent of the account's holder, and the fields of the answer.

The vendor publishes the rules of the consent's fields, but no error about them. Codes and messages
are those that it has for nested fields elsewhere.
"""

from typing import Final

from satyapan.kinds.fields import Builder, Stated, at_least, flag, names, nested, one_of, text
from satyapan.kinds.values import time_ms

_WRONG: Final = "{name} should be valid."

USER_CONSENT: Final[Builder] = nested(
    "the consent of the account's holder",
    obtained=flag("whether the person consented"),
    type=text(one_of(("EXPLICIT", "IMPLICIT"), _WRONG), rule="EXPLICIT or IMPLICIT"),
    timestamp=text(
        Stated(lambda value: time_ms(value) is not None, _WRONG, {}),
        length=40,
        rule="when: ISO 8601 in UTC, like 2025-10-27T09:24:36Z",
    ),
    purpose=text(at_least(20), length=100, rule="what for: 20 to 100 characters"),
)
MAX_AGE_S: Final = {"user_consent.timestamp": 300}
CONSENT_EXAMPLE: Final = {
    "obtained": True,
    "type": "EXPLICIT",
    "timestamp": "2025-10-27T09:24:36Z",
    "purpose": "Testing the entire flow for UPI penny drop verification",
}
RESULT_FIELDS: Final = names(
    "verification_id reference_id status name_at_bank bank_account ifsc vpa utr name_match_score"
    " name_match_result ifsc_details"
)
UNMASKED_FIELDS: Final = frozenset({"bank_account", "utr"})
