"""Registration certificates: which numbers are kept although they look like Aadhaar numbers."""

import pytest

from satyapan.kinds.model import Role
from satyapan.kinds.vehicle.vehicle_rc import VEHICLE_RC
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

LOOKS_LIKE_AADHAAR = "234123412346"


def kept(role: Role, field: str) -> object:
    """Return what is kept of a field of a reply that holds twelve digits."""
    reply = {"verification_id": "v-1", "status": "VALID", field: LOOKS_LIKE_AADHAAR}
    asked = Asked(VEHICLE_RC.operation("cashfree"), role, "v-1", {})
    answer = classify(asked, Raw(200, {}, b""), reply, now=1_700_000_000.0)
    assert answer.body is not None
    return answer.body[field]


@pytest.mark.parametrize("role", [Role.CREATE, Role.STATUS])
@pytest.mark.parametrize(
    "field",
    [
        "chassis",
        "engine",
        "mobile_number",
        "vehicle_insurance_policy_number",
        "pucc_number",
        "permit_number",
        "national_permit_number",
    ],
)
def test_numbers_of_the_vehicle_and_its_papers_are_kept(role: Role, field: str) -> None:
    assert kept(role, field) == LOOKS_LIKE_AADHAAR


@pytest.mark.parametrize("field", ["owner", "present_address", "noc_details"])
def test_an_aadhaar_number_elsewhere_is_masked(field: str) -> None:
    assert kept(Role.CREATE, field) == "XXXX XXXX 2346"
