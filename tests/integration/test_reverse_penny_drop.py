"""A person pays one rupee, and the verification says from which account; with the real sandbox."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
import requests

from satyapan import State, Verification
from tests.support.worker_harness import Harness

KIND: Final = "reverse_penny_drop"
SUCCESS: Final = {
    "bank_account": "026291800001191",
    "ifsc": "YESB0000262",
    "upi": "success@upi",
    "name_at_bank": "BHARATHTEST GKUMARUT",
    "ref_id": "49",
    "utr": "49",
    "status": "SUCCESS",
    "name_match_score": "",
    "name_match_result": "",
    "added_on": "2023-07-18T16:27:10+05:30",
    "processed_on": "2023-07-19 10:46:16",
    "penny_collected_on": "2022-10-27 12:40:09.530",
}
NEWER_SUCCESS: Final = {
    **SUCCESS,
    "ref_id": 33,
    "utr": "33",
    "name_match_score": "10",
    "name_match_result": "POOR_PARTIAL_MATCH",
    "added_on": "2023-06-27T12:34:47+05:30",
    "processed_on": "2023-06-27T18:15:02+05:30",
    "penny_collected_on": "2022-10-27T12:40:10+05:30",
    "reversal_status": "PENDING",
    "account_type": "SAVINGS",
}
EXPIRED: Final = {
    **dict.fromkeys(SUCCESS, ""),
    "ref_id": "49",
    "status": "EXPIRED",
    "added_on": "2023-07-18T16:27:10+05:30",
    "processed_on": "2023-07-19 10:46:16",
}
"""The data of the published webhooks, besides the id."""


def begun(harness: Harness) -> Verification:
    """Submit, and make the create call."""
    return harness.run_once(harness.submit(KIND))


def press(harness: Harness, verification_id: str, button: str) -> None:
    """Let the person press a button of the vendor's page."""
    harness.vendor.post(f"journeys/{verification_id}", decision=button)


def deliver(harness: Harness, own_id: str, data: Mapping[str, Any]) -> None:
    """Store a webhook as the callbacks app does, and take it in."""
    event = f"RPD_BANK_ACCOUNT_VERIFICATION_{data['status']}"
    content = {"event_type": event, "event_time": "2023-07-19 10:46:16", "version": "v1"}
    body = json.dumps({**content, "data": {**data, "verification_id": own_id}}).encode()
    harness.parts.ingest._inbox.store("webhook", "cashfree", event, body)
    harness.parts.ingest.take("webhook")


def test_the_producer_gets_all_links_until_the_end(harness: Harness) -> None:
    links = begun(harness)

    assert (links.state, links.status) == (State.PENDING, "CREATED")
    assert links.link.startswith("upi://pay?")
    assert set(links.handoff) == {"gpay", "phonepe", "paytm", "bhim", "qr_code", "url"}
    assert links.picture("qr_code").startswith(b"\x89PNG")
    press(harness, links.id, "pay")
    ended = harness.settle(links.id, hurried=True)
    assert (ended.link, ended.handoff) == ("", {}), "who pays by them now, pays in vain"


def test_a_payment_shows_the_account_and_its_numbers_are_kept_whole(harness: Harness) -> None:
    links = begun(harness)

    press(harness, links.id, "pay")
    ended = harness.settle(links.id, hurried=True)

    assert (ended.state, ended.status) == (State.DONE, "SUCCESS")
    result = ended.result or {}
    assert (result["bank_account"], result["ifsc"]) == ("026291800001191", "YESB0000262")
    assert result["utr"] == "404223241810", "it looks like an Aadhaar number, and is none"
    assert len(harness.vendor.charges(KIND)) == 1


def test_a_payment_that_failed_ends_the_verification_without_an_account(harness: Harness) -> None:
    links = begun(harness)

    press(harness, links.id, "decline")
    ended = harness.settle(links.id, hurried=True)

    assert (ended.state, ended.status) == (State.FAILED, "FAILURE")
    assert "bank_account" not in (ended.result or {})


def test_nobody_pays_in_time(harness: Harness) -> None:
    links = begun(harness)

    harness.vendor.post("clock", advance_s=600)

    ended = harness.settle(links.id, hurried=True)
    assert (ended.state, ended.status) == (State.EXPIRED, "EXPIRED")


def test_the_deadline_is_an_hour_after_the_time_that_the_vendor_names(harness: Harness) -> None:
    before = harness.vendor.get("clock")["now"]

    links = begun(harness)

    seconds = harness.row(links.id).deadline / 1000 - before
    assert 4200 <= seconds < 4260


@pytest.mark.parametrize("data", [SUCCESS, NEWER_SUCCESS, EXPIRED], ids=["old", "new", "expired"])
def test_a_published_webhook_causes_the_read_that_decides(
    harness: Harness, data: Mapping[str, Any]
) -> None:
    links = begun(harness)

    deliver(harness, links.id, data)

    assert harness.row(links.id).evidence == data["status"]
    assert harness.read(links.id).state is State.PENDING, "the vendor's status is CREATED still"
    press(harness, links.id, "pay")
    assert harness.settle(links.id, hurried=True).status == "SUCCESS"


def test_links_that_are_lost_are_parked_and_not_bought_again(harness: Harness) -> None:
    harness.vendor.post("faults", route=KIND, cut="in_body")

    ended = harness.settle(harness.submit(KIND), hurried=True)

    assert (ended.state, ended.reason) == (State.PARKED, "lost_link")
    assert len(harness.vendor.charges(KIND)) == 1


def test_a_call_that_the_vendor_does_not_know_is_made_again_under_the_same_id(
    harness: Harness,
) -> None:
    harness.vendor.post("faults", route=KIND, cut="before_status", executed=False)
    verification_id = harness.submit(KIND)

    press(harness, verification_id, "pay")
    ended = harness.settle(verification_id, hurried=True)

    assert (ended.state, ended.generation, ended.attempts) == (State.DONE, 1, 2)
    assert len(harness.vendor.charges(KIND)) == 1


def test_the_page_for_browsers_takes_the_payment_and_sends_the_person_on(harness: Harness) -> None:
    links = begun(harness)

    answer = requests.post(
        str(links.handoff["url"]), {"decision": "pay"}, allow_redirects=False, timeout=10
    )

    assert answer.headers["Location"].startswith(f"https://kyc.example.in/return/{KIND}/")
    assert harness.settle(links.id, hurried=True).state is State.DONE
