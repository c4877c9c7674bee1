"""Operations that are files only and answer later: by themselves, by a person, in a batch."""

import base64
import re
from typing import Any, ClassVar

import pytest
import requests

from tests.contract.conftest import Receiver, Vendor
from tests.contract.toy_calls import ACCOUNT, PAY, charges, events, post, signature


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

    def test_an_answer_may_take_an_hour(self, toys: Vendor, receiver: Receiver) -> None:
        post(toys, "/toy/account", ACCOUNT, bank_account="1233943142")
        toys.control("clock", advance_s=3599)
        early = self.read(toys).json()["account_status"]
        assert toys.read("webhooks") == []

        toys.control("clock", advance_s=1)

        assert (early, self.read(toys).json()["account_status"]) == ("RECEIVED", "VALID")
        assert len(events(receiver, 1)) == 1

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


class TestBatch:
    """POST /toy/batch: many entries in one call; an answer to each, later."""

    GOOD: ClassVar = {
        "bulk_verification_id": "b_1",
        "entries": [{"pan": "ABCPV1234D", "name": "A B"}, {"pan": "DEFPV0126D"}],
    }

    def read(self, vendor: Vendor) -> dict[str, Any]:
        params = {"bulk_verification_id": "b_1"}
        return dict(vendor.call("GET", "/toy/batch", params=params).json())

    def test_each_entry_is_answered_when_the_batch_is_ready(self, toys: Vendor) -> None:
        post(toys, "/toy/batch", self.GOOD)
        early = self.read(toys)
        toys.control("clock", advance_s=3)

        late = self.read(toys)

        assert (early["count"], early["entries"]) == (0, [])
        assert late["count"] == 2
        assert [each["valid"] for each in late["entries"]] == [True, False]
        assert late["entries"][0]["name_provided"] == "A B"
        assert len({each["reference_id"] for each in (late, *late["entries"])}) == 3
        assert charges(toys) == [("toy_batch", True)]

    @pytest.mark.parametrize(
        ("entries", "code", "message"),
        [
            ([], "invalid_request", "Please provide atleast one entry"),
            ("PAN", "entries_value_invalid", ""),
            (
                [{"pan": "ABCPV1234D"}, {"name": "A"}],
                "pan_missing",
                "pan is missing in the request for entry at sequence 2.",
            ),
            ([{"pan": "x"}, {}], "pan_value_invalid", "for entry at sequence 1."),
            ([1, 2], "pan_missing", "for entry at sequence 1."),
        ],
    )
    def test_the_entries_are_checked(
        self, toys: Vendor, entries: object, code: str, message: str
    ) -> None:
        refused = post(toys, "/toy/batch", self.GOOD, entries=entries)

        assert signature(refused) == (400, code)
        assert message in refused.json()["message"]

    def test_its_tier_is_five_a_minute(self, toys: Vendor) -> None:
        answers = [post(toys, "/toy/batch", {}) for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]
