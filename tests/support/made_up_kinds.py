"""Made-up kinds for tests of the rules: one for each mode and recovery.

Which of the vendor's operations behave so: SYNC/READ the vehicle, SYNC/REFERENCE the PAN, SYNC/NONE
the GSTIN, ASYNC/READ the bank account, JOURNEY/READ and JOURNEY/NONE the reverse penny drop.
"""

from itertools import product
from typing import Final

from satyapan.kinds import Kind
from satyapan.kinds.fields import request
from satyapan.kinds.model import AnswerMeaning, Mode, Operation, Recovery, Route
from satyapan.records import State

STATUSES: Final = {
    "WAIT": State.PENDING,
    "VALID": State.DONE,
    "REJECTED": State.FAILED,
    "LATE": State.EXPIRED,
}

_REPEATED: Final = {(409, "id_already_exists"): AnswerMeaning.DUPLICATE}


def made_up(mode: Mode, recovery: Recovery) -> Kind:
    """Build a kind; journeys have a link and no documents."""
    operation = Operation(
        mode=mode,
        recovery=recovery,
        create=Route(
            "create",
            "POST",
            "/x",
            id_param="verification_id" if _has_id(recovery) else "",
            answers=_REPEATED if _has_id(recovery) else {},
        ),
        status=_status_route(mode, recovery),
        status_map=STATUSES,
        handoff_fields=("link",) if mode in {Mode.JOURNEY, Mode.RESOURCE} else (),
        link_life_s=600,
    )
    name = f"{mode}/{recovery}"
    return Kind(name, name, request(), {"cashfree": operation}, (), ())


def _has_id(recovery: Recovery) -> bool:
    """Return True if the request names our id, so that the vendor can refuse a repeat."""
    return recovery in {Recovery.READ, Recovery.REPEAT}


def _status_route(mode: Mode, recovery: Recovery) -> Route | None:
    """Return the route by which a status is read; by the vendor's reference if it has no id."""
    readable = recovery in {Recovery.READ, Recovery.REFERENCE}
    if mode not in {Mode.ASYNC, Mode.JOURNEY} and not readable:
        return None
    return Route("status", "GET", "/x" if _has_id(recovery) else "/x/{reference}")


MADE_UP: Final = tuple(made_up(*each) for each in product(Mode, Recovery))
"""A kind for each mode and recovery, as "sync/read"."""
