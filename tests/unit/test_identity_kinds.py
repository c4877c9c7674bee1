"""What a DigiLocker account's answer keeps, and what it masks."""

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

LIKE_AADHAAR = "2341-2341-2346"
"""Three groups of digits with the check digit of an Aadhaar number, as one UUID in a thousand."""


def test_an_id_of_digilocker_is_kept_and_a_full_aadhaar_number_is_masked() -> None:
    asked = Asked(Registry()["digilocker_account"].operation("cashfree"), Role.CREATE, "v-1", {})
    status = {"verification_id": "v-1", "status": "ACCOUNT_EXISTS"}
    found = {"digilocker_id": f"8aa626bf-{LIKE_AADHAAR}-f69207e129a7"}

    answer = classify(
        asked, Raw(200, {}, b""), {**status, **found, "aadhaar_number": "234123412346"}, 0
    )

    assert answer.body == {**status, **found, "aadhaar_number": "XXXX XXXX 2346"}
