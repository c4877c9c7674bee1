"""Passport: ``POST /passport``.

Test data: PA1079341954215 born 2007-03-01 is VALID, PA0379341954215 is INVALID (vendor's test data
page). For load tests, PA2 and 12 or 13 digits is VALID with whatever name and date were asked for.
"""

import re
from typing import Any

from sandbox import checks, errors
from sandbox.errors import Refused
from sandbox.vendor import Ask, Reply, Vendor

_LOAD = re.compile(r"PA2[0-9]{12,13}")
_NOBODY = dict.fromkeys(("name", "dob", "application_type", "application_received_date"))


def verify(vendor: Vendor, ask: Ask) -> Reply:
    """Check one passport; every accepted call is charged, whatever it finds."""
    verification_id = checks.verification_id(ask.fields)
    file_number = checks.text(ask.fields, "file_number")
    dob = checks.date_of_birth(ask.fields)
    name = checks.optional_text(ask.fields, "name")
    with vendor.state.lock:
        vendor.state.refuse_used("passport", ask.account, verification_id, errors.PASSPORT_REPEATED)
        status, holder = _look_up(file_number, dob, name)
        vendor.state.use("passport", ask.account, verification_id)
    reference_id = vendor.ids.reference_id()
    execution = vendor.records.execution(
        vendor.clock.now(),
        "passport",
        account=ask.account,
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
    return Reply(200, body, execution)


def _look_up(file_number: str, dob: str, name: str | None) -> tuple[str, dict[str, Any]]:
    if file_number == "PA0379341954215":
        return "INVALID", _NOBODY
    if file_number == "PA1079341954215" and dob == "2007-03-01":
        return "VALID", _holder("John doe", "1998-12-31")
    if _LOAD.fullmatch(file_number):
        return "VALID", _holder(name or "Sandbox Person", dob)
    raise Refused(errors.NOT_TEST_DATA)


def _holder(name: str, dob: str) -> dict[str, Any]:
    return {
        "name": name,
        "dob": dob,
        "application_type": "NORMAL",
        "application_received_date": "2003-12-31",
    }
