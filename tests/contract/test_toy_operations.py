"""Operations that are files only: what the engine makes of them, in each mode."""

from collections.abc import Callable

import pytest
import requests

from tests.contract.conftest import Vendor
from tests.contract.toy_calls import ACCOUNT, PAN, PAY, TOYS, charges, post, signature


class TestSync:
    """POST /toy/pan: the reply is the answer, the client's id is checked."""

    def test_the_answer_follows_from_the_input(self, toys: Vendor) -> None:
        valid = post(toys, "/toy/pan", PAN)
        invalid = post(toys, "/toy/pan", PAN, verification_id="t-2", pan="DEFPV0126D")

        assert valid.json() == {
            "verification_id": "t-1",
            "reference_id": 1358,
            "status": "VALID",
            "registered_name": "JOHN DOE",
            "new_field": [1],
        }
        assert invalid.json()["status"] == "INVALID"
        assert charges(toys) == [("toy_pan", True), ("toy_pan", True)]

    def test_a_refused_value_is_free_and_keeps_the_id_free(self, toys: Vendor) -> None:
        refused = post(toys, "/toy/pan", PAN, pan="BADBA1234D")

        assert signature(refused) == (400, "pan_value_invalid")
        assert charges(toys) == []
        assert post(toys, "/toy/pan", PAN).status_code == 200

    def test_a_lost_answer_is_charged_and_its_repetition_refused(self, toys: Vendor) -> None:
        with pytest.raises(requests.ConnectionError):
            post(toys, "/toy/pan", PAN, pan="CUTCU1234T")

        assert signature(post(toys, "/toy/pan", PAN)) == (400, "pan_toy_repeated")
        assert charges(toys) == [("toy_pan", False)]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"verification_id": ""}, "verification_id_missing"),
            ({"pan": "abc"}, "pan_value_invalid"),
            ({"name": "x" * 101}, "name_length_exceeded"),
        ],
    )
    def test_the_fields_are_checked(self, toys: Vendor, changes: dict[str, str], code: str) -> None:
        assert signature(post(toys, "/toy/pan", PAN, **changes)) == (400, code)

    def test_a_magic_value_requests_an_error(self, toys: Vendor) -> None:
        magic = post(toys, "/toy/pan", PAN, pan="magic-502-verification_failed-1")

        assert signature(magic) == (502, "verification_failed")
        assert magic.json()["message"].startswith("Authorised source")

    def test_failed_attempts_use_up_the_id_if_configured(
        self, start: Callable[..., Vendor]
    ) -> None:
        vendor = start(operations=[TOYS], failed_consumes_id=True)
        assert post(vendor, "/toy/pan", PAN, pan="AWAYA1234Y").status_code == 502

        assert signature(post(vendor, "/toy/pan", PAN)) == (400, "pan_toy_repeated")

    def test_its_quota_and_its_faults_have_its_name(self, toys: Vendor) -> None:
        toys.control("faults", route="toy_pan", status=429)
        toys.control("quota", route="toy_pan", per_minute=2)

        answers = [post(toys, "/toy/pan", PAN) for _ in range(3)]

        assert [each.status_code for each in answers] == [429, 200, 429]
        assert answers[1].headers["X-RateLimit-Limit"] == "2"


class TestReference:
    """POST /toy/pan-check: no id of the client; errors name the vendor's reference."""

    @pytest.mark.parametrize(
        ("pan", "code", "valid"),
        [
            ("LATER1234D", (500, "verification_failed"), True),
            ("FAILS1234D", (422, "failed_at_source"), False),
        ],
    )
    def test_an_executed_error_names_the_reference_that_a_read_takes(
        self, toys: Vendor, pan: str, code: tuple[int, str], valid: bool
    ) -> None:
        failed = post(toys, "/toy/pan-check", {"pan": pan})
        reference = failed.json()["error"]["reference_id"]

        read = toys.call("GET", f"/toy/pan-check/{reference}")

        assert signature(failed) == code
        assert (read.json()["valid"], read.json()["reference_id"]) == (valid, reference)
        assert charges(toys) == [("toy_pan_check", False)]

    def test_a_fault_after_the_execution_names_it_too(self, toys: Vendor) -> None:
        toys.control("faults", route="toy_pan_check", status=500, executed=True)

        failed = post(toys, "/toy/pan-check", {"pan": "ABCPV1234D", "name": "A B"})

        reference = failed.json()["error"]["reference_id"]
        assert toys.call("GET", f"/toy/pan-check/{reference}").json() == {
            "pan": "ABCPV1234D",
            "type": "Individual",
            "reference_id": reference,
            "name_provided": "A B",
            "registered_name": "JOHN DOE",
            "valid": True,
            "message": "PAN verified successfully",
            "pan_status": "VALID",
        }

    def test_a_fault_without_an_execution_names_nothing(self, toys: Vendor) -> None:
        toys.control("faults", route="toy_pan_check", status=500)

        assert "error" not in post(toys, "/toy/pan-check", {"pan": "ABCPV1234D"}).json()

    def test_an_unknown_reference_is_not_found(self, toys: Vendor) -> None:
        unknown = toys.call("GET", "/toy/pan-check/77")

        assert signature(unknown) == (404, "reference_id_not_found")

    def test_each_call_is_charged_and_the_audit_tells_requests_apart(self, toys: Vendor) -> None:
        for pan in ("ABCPV1234D", "ABCPV1234D", "DEFPV0126D"):
            post(toys, "/toy/pan-check", {"pan": pan})

        details = [row["detail"] for row in toys.read("audit")]

        assert details[0] == details[1] != details[2]
        assert not any("ABCPV" in detail for detail in details)


NAMES = ["passport", "digilocker_document", "toy_pan", "toy_account_read"]


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_can_be_switched_off_in_two_ways(toys: Vendor, name: str) -> None:
    method, path, body = {
        "passport": ("POST", "/passport", {}),
        "digilocker_document": ("GET", "/digilocker/document/PAN", None),
        "toy_pan": ("POST", "/toy/pan", PAN),
        "toy_account_read": ("GET", "/toy/account", None),
    }[name]

    toys.control("not-enabled", route=name, answer=404)
    empty = toys.call(method, path, json=body)
    toys.control("not-enabled", route=name, answer=400)
    spelled = toys.call(method, path, json=body)
    toys.control("not-enabled", route=name, answer=None)

    assert (empty.status_code, empty.content) == (404, b"")
    assert signature(spelled) == (400, "invalid_request")
    assert "not enabled" in spelled.json()["message"]
    assert toys.call(method, path, json=body).content not in (empty.content, spelled.content)
    assert post(toys, "/toy/pay", PAY).status_code == 200, "the others go on"


def test_a_reset_forgets_calls_and_enables_everything(toys: Vendor) -> None:
    post(toys, "/toy/account", ACCOUNT)
    toys.control("not-enabled", route="toy_account", answer=404)

    toys.control("reset")

    assert post(toys, "/toy/account", ACCOUNT).status_code == 200
