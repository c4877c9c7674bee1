"""Operations that are files only: what the engine makes of them, in each mode."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.conftest import Receiver, Vendor
from tests.support.eventually import eventually
from tests.support.project import ROOT

TOYS = str(ROOT / "tests" / "support" / "toy_operations")
PAN = {"verification_id": "t-1", "pan": "ABCPV1234D"}
ACCOUNT = {"bank_account": "026291800001191", "ifsc": "YESB0000262", "user_id": "user_1"}
PAY = {"verification_id": "r-1", "name": "John Doe"}


@pytest.fixture
def toys(start: Callable[..., Vendor], receiver: Receiver) -> Vendor:
    """Start a sandbox that knows the toy operations and sends its webhooks to ``receiver``."""
    return start(operations=[TOYS], webhook_url=receiver.url, webhook_backoff_s=0.01)


def post(vendor: Vendor, path: str, body: dict[str, Any], **changes: object) -> requests.Response:
    return vendor.call("POST", path, json={**body, **changes})


def signature(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def charges(vendor: Vendor) -> list[tuple[str, bool]]:
    return [(row["charge"], row["answered"]) for row in vendor.read("audit")]


def events(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(receiver.got) >= count)
    return [json.loads(each.raw) for each in receiver.got]


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


class TestAsync:
    """POST /toy/account: accepted at once, answered later; the only id is user_id."""

    def read(self, vendor: Vendor, **ids: str) -> requests.Response:
        return vendor.call("GET", "/toy/account", params=ids or {"user_id": "user_1"})

    def test_the_answer_comes_after_its_time(self, toys: Vendor, receiver: Receiver) -> None:
        accepted = post(toys, "/toy/account", ACCOUNT).json()
        early = self.read(toys).json()

        toys.control("clock", advance_s=2)

        assert accepted == {
            "reference_id": 1358,
            "account_status": "RECEIVED",
            "account_status_code": "VALIDATION_IN_PROGRESS",
        }
        assert early == accepted
        late = self.read(toys).json()
        assert (late["account_status"], late["account_status_code"]) == (
            "VALID",
            "ACCOUNT_IS_VALID",
        )
        assert "user_id" not in late
        assert self.read(toys, reference_id="1358").json() == late
        (event,) = events(receiver, 1)
        assert (event["event_type"], event["version"]) == ("TOY_ACCOUNT_SUCCESS", "v2")
        assert event["data"] == {**late, "user_id": "user_1"}
        assert toys.read("webhooks")[0]["verification_id"] == "user_1"
        assert charges(toys) == [("toy_account", True)]

    def test_the_webhook_comes_without_any_call(self, toys: Vendor, receiver: Receiver) -> None:
        post(toys, "/toy/account", ACCOUNT)

        toys.clock.at += 2

        (event,) = events(receiver, 1)
        assert event["event_time"] == "2026-01-05T10:11:14Z"

    def test_a_negative_answer_is_an_answer(self, toys: Vendor) -> None:
        post(toys, "/toy/account", ACCOUNT, bank_account="7766666585146", ifsc="YESB0000001")
        toys.control("clock", advance_s=2)

        assert self.read(toys).json()["account_status_code"] == "INVALID_ACCOUNT_FAIL"

    def test_a_refusal_with_a_reference_can_be_read(self, toys: Vendor) -> None:
        refused = post(toys, "/toy/account", ACCOUNT, bank_account="7766667989884")
        toys.control("clock", advance_s=2)

        assert signature(refused) == (422, "fraud_account")
        read = self.read(toys, reference_id=str(refused.json()["error"]["reference_id"]))
        assert read.json()["account_status"] == "REJECTED"

    def test_a_repeated_id_is_refused(self, toys: Vendor) -> None:
        post(toys, "/toy/account", ACCOUNT)

        assert signature(post(toys, "/toy/account", ACCOUNT)) == (400, "user_id_already_exists")
        assert len(charges(toys)) == 1
        assert toys.read("calls")[0]["verification_id"] == "user_1"

    @pytest.mark.parametrize(
        ("user_id", "code"),
        [
            ("a-b", "user_id_value_invalid"),
            ("x" * 41, "user_id_length_exceeded"),
        ],
    )
    def test_the_id_has_a_rule_of_its_own(self, toys: Vendor, user_id: str, code: str) -> None:
        assert signature(post(toys, "/toy/account", ACCOUNT, user_id=user_id)) == (400, code)

    def test_unknown_ids_get_the_errors_of_the_file(self, toys: Vendor) -> None:
        assert signature(self.read(toys)) == (404, "user_id_not_found")
        assert signature(toys.call("GET", "/toy/account")) == (400, "invalid_request")


class TestJourney:
    """POST /toy/pay: links for a person, who pays or declines on a page."""

    def status(self, vendor: Vendor) -> dict[str, Any]:
        answer = vendor.call("GET", "/toy/pay", params={"verification_id": "r-1"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def test_the_links_and_their_end_are_returned(self, toys: Vendor) -> None:
        created = post(toys, "/toy/pay", PAY).json()

        assert created["valid_upto"] == "2026-01-05T10:21:12.000Z"
        assert created["upi_link"].endswith("&tr=1358")
        assert base64.b64decode(created["qr_code"]).startswith(b"\x89PNG")
        assert self.status(toys) == {
            "verification_id": "r-1",
            "ref_id": 1358,
            "status": "CREATED",
            "added_on": "2026-01-05T15:41:12+05:30",
            "processed_on": "2026-01-05T15:41:12+05:30",
        }

    @pytest.mark.parametrize(
        ("button", "status", "event"),
        [("pay", "SUCCESS", "TOY_PAY_SUCCESS"), ("decline", "FAILURE", "TOY_PAY_FAILURE")],
    )
    def test_a_person_decides_on_the_page(
        self, toys: Vendor, receiver: Receiver, button: str, status: str, event: str
    ) -> None:
        page = post(toys, "/toy/pay", PAY).json()["link"]
        shown = toys.open(page)
        assert "This is a sandbox" in shown.text
        assert re.findall(r'value="(\w+)"', shown.text) == ["pay", "decline"]

        sent = toys.open(page, decision=button)

        assert (sent.status_code, self.status(toys)["status"]) == (200, status)
        (got,) = events(receiver, 1)
        assert (got["event_type"], got["data"]) == (event, self.status(toys))
        assert toys.open(page, decision="pay").status_code == 410

    def test_opening_the_page_decides_nothing(self, toys: Vendor) -> None:
        page = post(toys, "/toy/pay", PAY).json()["link"]

        toys.open(page)
        odd = toys.open(page, decision="perhaps")

        assert odd.status_code == 400
        assert self.status(toys)["status"] == "CREATED"

    def test_the_person_is_sent_back_with_the_id(self, toys: Vendor) -> None:
        created = post(toys, "/toy/pay", PAY, redirect_url="https://example.com/back").json()

        sent = toys.open(created["link"], decision="pay")

        assert sent.headers["location"] == "https://example.com/back?verification_id=r-1"

    def test_an_unused_link_expires(self, toys: Vendor, receiver: Receiver) -> None:
        page = post(toys, "/toy/pay", PAY).json()["link"]

        toys.control("clock", advance_s=600)

        assert toys.open(page).status_code == 410
        assert toys.open(page, decision="pay").status_code == 410
        assert self.status(toys)["status"] == "EXPIRED"
        assert [each["event_type"] for each in events(receiver, 1)] == ["TOY_PAY_EXPIRED"]

    def test_a_scripted_person_presses_a_button(self, toys: Vendor) -> None:
        assert toys.control("journeys/r-1", decision="pay") == {"planned": True}
        post(toys, "/toy/pay", PAY)

        assert self.status(toys)["status"] == "SUCCESS"
        again = toys.control("journeys/r-1", decision="decline")
        assert again == {"planned": False, "pressed": False, "stage": "paid"}


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
