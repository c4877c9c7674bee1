"""The kinds of the fault suite: one for each mode and recovery; what each asks, and how it ends."""

from collections.abc import Mapping
from typing import Any, Final

from satyapan import State
from satyapan.failpoints import Failpoint

SHIPPED: Final = ("passport", "digilocker", "static_kyc_link")
TOYS: Final = ("toy_account", "toy_pan_check", "toy_pay")
"""The other modes and recoveries, by kinds that nothing else changes: tests/support/toy_kinds."""
KINDS: Final = (*SHIPPED, *TOYS)

DECISIONS: Final[Mapping[str, str]] = {"digilocker": "allow", "toy_pay": "pay"}
"""What the person of a journey does, as the sandbox's control route names it."""

_HOOKED: Final = ("digilocker", "toy_account", "toy_pay")
WEBHOOK_POINTS: Final[Mapping[str, tuple[str, ...]]] = {
    Failpoint.OPENED: (*_HOOKED, "static_kyc_link"),
    Failpoint.HINTED: _HOOKED,
    Failpoint.STORED: (*_HOOKED, "static_kyc_link"),
}
"""Points on the way of a webhook, each with the kinds that reach it; all reach the others."""

_UNKNOWN: Final = f"{State.PARKED} unknown_outcome/worker_lost"
LOST_ANSWER_ENDS: Final[Mapping[tuple[str, str], str]] = {
    ("answered", "passport"): f"{State.PARKED} lost_answer",
    ("answered", "toy_pay"): f"{State.PARKED} lost_link",
    ("sent", "static_kyc_link"): _UNKNOWN,
    ("answered", "static_kyc_link"): _UNKNOWN,
    ("sent", "toy_pan_check"): _UNKNOWN,
    ("answered", "toy_pan_check"): _UNKNOWN,
}
"""Ends other than DONE: where a killed worker takes the only knowledge of the answer with it."""


def request_for(kind: str, one: str) -> dict[str, Any]:
    """Return a request that no other verification makes where the vendor gets no id of ours."""
    requests: Mapping[str, dict[str, Any]] = {
        "passport": {"file_number": "PA1079341954215", "dob": "2007-03-01"},
        "digilocker": {"document_requested": ["PAN"]},
        "static_kyc_link": {"template_name": one},
        "toy_account": {"bank_account": "026291800001191", "ifsc": "YESB0000262"},
        "toy_pan_check": {"pan": "ABCPV1234D", "name": one},
        "toy_pay": {"name": one},
    }
    return requests[kind]
