"""Passport: ``POST /passport``.

Test data: PA1079341954215 born 2007-03-01 is VALID, PA0379341954215 is INVALID (vendor's test data
page). For load tests, PA2 and 12 or 13 digits is VALID, with the name and date of the request.
"""

import re
from typing import Any

from sandbox import errors, validation
from sandbox.errors import RefusedCall
from sandbox.vendor import ApiReply, ApiRequest, EmulatedVendor

_LOAD = re.compile(r"PA2[0-9]{12,13}")
_NO_HOLDER = dict.fromkeys(("name", "dob", "application_type", "application_received_date"))


def verify(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Verify one passport; every accepted call is charged, whatever its result is."""
    verification_id = validation.verification_id(request.fields)
    file_number = validation.text(request.fields, "file_number")
    dob = validation.date_of_birth(request.fields)
    name = validation.optional_text(request.fields, "name")
    with vendor.state.lock:
        vendor.state.refuse_used(
            "passport", request.account, verification_id, errors.PASSPORT_REPEATED
        )
        status, holder = _look_up(file_number, dob, name)
        vendor.state.use("passport", request.account, verification_id)
    reference_id = vendor.ids.reference_id()
    execution = vendor.records.execution(
        vendor.clock.now(),
        "passport",
        account=request.account,
        route="passport",
        verification_id=verification_id,
        reference_id=reference_id,
    )
    body = {
        "verification_id": verification_id,
        "reference_id": reference_id,
        "status": status,
        "file_number": file_number,
        **holder,
    }
    return ApiReply(200, body, execution)


def _look_up(file_number: str, dob: str, name: str | None) -> tuple[str, dict[str, Any]]:
    if file_number == "PA0379341954215":
        return "INVALID", _NO_HOLDER
    if file_number == "PA1079341954215" and dob == "2007-03-01":
        return "VALID", _holder("John doe", "1998-12-31")
    if _LOAD.fullmatch(file_number):
        return "VALID", _holder(name or "Sandbox Person", dob)
    raise RefusedCall(errors.NOT_TEST_DATA)


def _holder(name: str, dob: str) -> dict[str, Any]:
    return {
        "name": name,
        "dob": dob,
        "application_type": "NORMAL",
        "application_received_date": "2003-12-31",
    }
