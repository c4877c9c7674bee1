"""IP address: where it is, and whether it is a proxy. One synchronous, paid call.

Source: the vendor's Verify IP page. The answer can't be read again. A repeat with the same id is
refused, so it is safe but shows no result.

NOT_FOUND is a word of this project: the vendor answers 404 to an address about which it knows
nothing. The page shows that answer's message and not its code, so every 404 with a code counts.
Whether it is charged is unknown; it counts as paid.
"""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import (
    ANY_CODE,
    AnswerMeaning,
    Kind,
    Mode,
    Operation,
    Recovery,
    RefusedField,
    Result,
    Route,
)
from satyapan.records import State

# Only the form. It lets 999.0.0.1 pass, which the vendor refuses.
_ADDRESS = matches(
    r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*",
    "please enter a valid IP address",
    "invalid_ip_address",
)

IP = Kind(
    name="ip",
    title="Where an IP address is, and whether it is a proxy",
    request=request(ip_address=text(_ADDRESS, rule="an IP address, v4 or v6")),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "ip",
                "POST",
                "/ip",
                answers={
                    (400, "duplicate_verification_id"): AnswerMeaning.DUPLICATE,
                    (400, "invalid_ip_address"): RefusedField("ip_address"),
                    (404, ANY_CODE): Result("NOT_FOUND"),
                },
            ),
            status_map={"VALID": State.DONE, "NOT_FOUND": State.DONE},
        )
    },
    public_fields=names("proxy_type"),
    result_fields=names(
        "reference_id verification_id status ip_address proxy_type country_code country_name"
        " region_name city_name city_risk_score proxy_type_risk_score"
    ),
    labels={"VALID": "the address is known", "NOT_FOUND": "nothing is known about the address"},
    example={"ip_address": "1.0.171.255"},
)
