"""Webhooks: form, signature and configured faults."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.conftest import NOON, Received, Receiver, Vendor
from tests.support.eventually import eventually

DOCUMENTS = ["AADHAAR", "PAN"]


@pytest.fixture
def hooked(start: Callable[..., Vendor], receiver: Receiver) -> Vendor:
    """Start a sandbox that sends its webhooks to ``receiver``."""
    return start(webhook_url=receiver.url, webhook_backoff_s=0.01)


def journey(vendor: Vendor, verification_id: str = "d-1") -> str:
    body = {"verification_id": verification_id, "document_requested": DOCUMENTS}
    return str(vendor.call("POST", "/digilocker", json=body).json()["url"])


def arrived(receiver: Receiver, count: int) -> list[Received]:
    eventually(lambda: len(receiver.got) >= count)
    return receiver.got


def bodies(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    return [json.loads(each.raw) for each in arrived(receiver, count)]


def test_a_success_webhook_has_the_documented_form(hooked: Vendor, receiver: Receiver) -> None:
    url = journey(hooked)

    hooked.open(url, decision="allow", documents=["PAN"])

    (body,) = bodies(receiver, 1)
    assert body == {
        "event_type": "DIGILOCKER_VERIFICATION_SUCCESS",
        "event_time": "2026-01-05T10:11:12Z",
        "version": "v1",
        "data": {
            "user_details": {
                "name": "Asha Namuna",
                "dob": "15-08-1990",
                "gender": "F",
                "eaadhaar": "Y",
                "mobile": "9000000001",
            },
            "status": "AUTHENTICATED",
            "document_requested": DOCUMENTS,
            "document_consent": ["PAN"],
            "verification_id": "d-1",
            "reference_id": 1358,
            "document_consent_validity": "2026-01-05T11:11:12Z",
        },
    }


def test_the_signature_is_over_timestamp_and_raw_body(hooked: Vendor, receiver: Receiver) -> None:
    hooked.open(journey(hooked), decision="deny")

    (got,) = arrived(receiver, 1)

    message = got.headers["x-webhook-timestamp"].encode() + got.raw
    expected = hmac.digest(b"sandbox-secret", message, hashlib.sha256)
    assert base64.b64decode(got.headers["x-webhook-signature"]) == expected
    assert got.headers["x-webhook-timestamp"] == str(int(NOON * 1000))
    assert got.headers["x-webhook-attempt"] == "1"
    assert got.headers["x-webhook-version"] == "v1"
    assert got.headers["content-type"] == "application/json"


def test_each_account_gets_webhooks_signed_with_its_secret(
    start: Callable[..., Vendor], receiver: Receiver
) -> None:
    vendor = start(accounts={"one": "first", "two": "second"}, webhook_url=receiver.url)
    headers = {"x-client-id": "two", "x-client-secret": "second"}
    body = {"verification_id": "d-1", "document_requested": DOCUMENTS}
    vendor.call("POST", "/digilocker", json=body, headers=headers)
    vendor.control("journeys/d-1", decision="allow")

    (got,) = arrived(receiver, 1)

    message = got.headers["x-webhook-timestamp"].encode() + got.raw
    expected = hmac.digest(b"second", message, hashlib.sha256)
    assert base64.b64decode(got.headers["x-webhook-signature"]) == expected


@pytest.mark.parametrize(
    ("decision", "word"), [("deny", "CONSENT_DENIED"), ("fail", "FAILURE"), ("allow", "SUCCESS")]
)
def test_every_decision_sends_its_event(
    hooked: Vendor, receiver: Receiver, decision: str, word: str
) -> None:
    journey(hooked)

    hooked.control("journeys/d-1", decision=decision)

    (body,) = bodies(receiver, 1)
    assert body["event_type"] == f"DIGILOCKER_VERIFICATION_{word}"


def test_each_expiry_sends_one_webhook(hooked: Vendor, receiver: Receiver) -> None:
    journey(hooked, "unused")
    hooked.open(journey(hooked, "used"), decision="allow", documents=DOCUMENTS)

    for _ in range(3):
        hooked.control("clock", advance_s=1800)
    hooked.control("webhooks/flush")

    sent = [(body["event_type"], body["data"]["verification_id"]) for body in bodies(receiver, 3)]
    assert sorted(sent) == [
        ("DIGILOCKER_VERIFICATION_CONSENT_EXPIRED", "used"),
        ("DIGILOCKER_VERIFICATION_LINK_EXPIRED", "unused"),
        ("DIGILOCKER_VERIFICATION_SUCCESS", "used"),
    ]


def test_expiry_sends_its_webhook_without_any_call(hooked: Vendor, receiver: Receiver) -> None:
    journey(hooked)

    hooked.clock.at += 600

    (body,) = bodies(receiver, 1)
    assert body["event_type"] == "DIGILOCKER_VERIFICATION_LINK_EXPIRED"
    assert body["event_time"] == "2026-01-05T10:21:12Z"
    assert body["data"]["status"] == "EXPIRED"


def test_a_static_link_sends_a_webhook_for_every_step_and_the_end(
    hooked: Vendor, receiver: Receiver
) -> None:
    steps = ["OFFLINE_AADHAAR_VERIFICATION", "PANDETAILS_VERIFICATION"]
    hooked.control("templates", name="Two_steps", steps=steps)
    made = hooked.call("POST", "/form/static-link", json={"template_name": "Two_steps"}).json()

    hooked.open(made["static_link"], name="Canary", phone="9", email="c@example.com")

    sent = bodies(receiver, 3)
    assert [body["event_type"] for body in sent] == [
        "KYC_LINK_ACTION_PERFORMED",
        "KYC_LINK_ACTION_PERFORMED",
        "KYC_LINK_SUCCESS",
    ]
    assert [len(body["data"]["verification_details"]) for body in sent] == [1, 2, 2]
    assert [body["data"]["form_status"] for body in sent] == ["PENDING", "PENDING", "SUCCESS"]
    assert {body["data"]["form_link"] for body in sent} == {made["static_link"]}
    assert len({body["data"]["verification_id"] for body in sent}) == 1


def test_failed_deliveries_are_retried_and_counted(hooked: Vendor, receiver: Receiver) -> None:
    receiver.answers = [500, 302]

    hooked.open(journey(hooked), decision="deny")

    got = arrived(receiver, 3)
    assert [each.headers["x-webhook-attempt"] for each in got] == ["1", "2", "3"]
    assert len({each.raw for each in got}) == 1
    hooked.control("webhooks/flush")
    (row,) = hooked.read("webhooks")
    assert (row["state"], row["attempts"]) == ("delivered", [500, 302, 200])


def test_retries_end_after_five_attempts(hooked: Vendor, receiver: Receiver) -> None:
    receiver.answers = [503] * 9

    hooked.open(journey(hooked), decision="deny")

    arrived(receiver, 5)
    eventually(lambda: hooked.read("webhooks")[0]["state"] == "failed")
    assert len(receiver.got) == 5


def test_an_unreachable_address_is_a_failure_too(hooked: Vendor) -> None:
    hooked.control("webhooks", url="http://127.0.0.1:9/")

    hooked.open(journey(hooked), decision="deny")

    eventually(lambda: hooked.read("webhooks")[0]["state"] == "failed")
    assert hooked.read("webhooks")[0]["attempts"] == ["ConnectionError"] * 5


def test_a_delivery_in_progress_at_a_reset_is_not_retried(
    hooked: Vendor, receiver: Receiver
) -> None:
    receiver.free.clear()
    receiver.answers = [500]
    hooked.open(journey(hooked), decision="deny")
    arrived(receiver, 1)

    hooked.control("reset")
    receiver.free.set()

    assert hooked.control("webhooks/flush")["done"]
    assert len(receiver.got) == 1


def test_the_address_can_be_set_later(start: Callable[..., Vendor], receiver: Receiver) -> None:
    vendor = start()
    vendor.control("webhooks", url=receiver.url)

    vendor.open(journey(vendor), decision="deny")

    assert len(arrived(receiver, 1)) == 1


def test_deliveries_are_duplicated_on_request(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", duplicate=2)

    hooked.open(journey(hooked), decision="deny")

    assert len({each.raw for each in arrived(receiver, 3)}) == 1
    assert [row["copy"] for row in hooked.read("webhooks")] == [0, 1, 2]


def test_held_deliveries_are_sent_latest_first(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", reorder=True)
    for verification_id in ("a", "b", "c"):
        journey(hooked, verification_id)
        hooked.control(f"journeys/{verification_id}", decision="deny")
    assert [row["state"] for row in hooked.read("webhooks")] == ["held"] * 3

    assert hooked.control("webhooks/flush")["done"] is True

    assert [body["data"]["verification_id"] for body in bodies(receiver, 3)] == ["c", "b", "a"]


def test_late_deliveries_wait_until_they_are_flushed(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", delay_s=60)
    hooked.open(journey(hooked), decision="deny")
    assert hooked.read("webhooks")[0]["state"] == "waiting"

    hooked.control("webhooks/flush")

    assert len(receiver.got) == 1


def test_lost_deliveries_never_arrive(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", off=True)
    hooked.open(journey(hooked), decision="deny")

    hooked.control("webhooks/flush")

    assert receiver.got == []
    assert hooked.read("webhooks")[0]["state"] == "off"


def test_the_log_contains_no_personal_data_and_no_secret(hooked: Vendor) -> None:
    journey(hooked)
    hooked.control("journeys/d-1", decision="allow", person={"name": "Canary Name"})

    text = json.dumps(hooked.read("webhooks"))

    assert "DIGILOCKER_VERIFICATION_SUCCESS" in text
    assert "Canary" not in text
    assert "sandbox-secret" not in text
