"""Webhooks: form, signature, and the configured misbehaviour."""

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
    """A sandbox that sends its webhooks to ``receiver``."""
    return start(webhook_url=receiver.url, webhook_backoff_s=0.01)


def journey(vendor: Vendor, verification_id: str = "d-1") -> str:
    body = {"verification_id": verification_id, "document_requested": DOCUMENTS}
    return str(vendor.call("POST", "/digilocker", json=body).json()["url"])


def arrived(receiver: Receiver, count: int) -> list[Received]:
    eventually(lambda: len(receiver.got) >= count)
    return receiver.got


def bodies(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    return [json.loads(each.raw) for each in arrived(receiver, count)]


def test_a_success_is_told_in_the_vendors_shape(hooked: Vendor, receiver: Receiver) -> None:
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


def test_each_account_is_told_under_its_own_secret(
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
def test_every_decision_has_its_event(
    hooked: Vendor, receiver: Receiver, decision: str, word: str
) -> None:
    journey(hooked)

    hooked.control("journeys/d-1", decision=decision)

    (body,) = bodies(receiver, 1)
    assert body["event_type"] == f"DIGILOCKER_VERIFICATION_{word}"


def test_expiry_is_told_once_each(hooked: Vendor, receiver: Receiver) -> None:
    journey(hooked, "unused")
    hooked.open(journey(hooked, "used"), decision="allow", documents=DOCUMENTS)

    for _ in range(3):
        hooked.control("clock", advance_s=1800)
    hooked.control("webhooks/flush")

    told = [(body["event_type"], body["data"]["verification_id"]) for body in bodies(receiver, 3)]
    assert sorted(told) == [
        ("DIGILOCKER_VERIFICATION_CONSENT_EXPIRED", "used"),
        ("DIGILOCKER_VERIFICATION_LINK_EXPIRED", "unused"),
        ("DIGILOCKER_VERIFICATION_SUCCESS", "used"),
    ]


def test_time_alone_brings_expiry_about(hooked: Vendor, receiver: Receiver) -> None:
    journey(hooked)

    hooked.clock.at += 600

    (body,) = bodies(receiver, 1)
    assert body["event_type"] == "DIGILOCKER_VERIFICATION_LINK_EXPIRED"
    assert body["event_time"] == "2026-01-05T10:21:12Z"
    assert body["data"]["status"] == "EXPIRED"


def test_a_static_link_tells_every_step_and_the_end(hooked: Vendor, receiver: Receiver) -> None:
    steps = ["OFFLINE_AADHAAR_VERIFICATION", "PANDETAILS_VERIFICATION"]
    hooked.control("templates", name="Two_steps", steps=steps)
    made = hooked.call("POST", "/form/static-link", json={"template_name": "Two_steps"}).json()

    hooked.open(made["static_link"], name="Canary", phone="9", email="c@example.com")

    told = bodies(receiver, 3)
    assert [body["event_type"] for body in told] == [
        "KYC_LINK_ACTION_PERFORMED",
        "KYC_LINK_ACTION_PERFORMED",
        "KYC_LINK_SUCCESS",
    ]
    assert [len(body["data"]["verification_details"]) for body in told] == [1, 2, 2]
    assert [body["data"]["form_status"] for body in told] == ["PENDING", "PENDING", "SUCCESS"]
    assert {body["data"]["form_link"] for body in told} == {made["static_link"]}
    assert len({body["data"]["verification_id"] for body in told}) == 1


def test_failed_deliveries_are_tried_again_and_counted(hooked: Vendor, receiver: Receiver) -> None:
    receiver.answers = [500, 302]

    hooked.open(journey(hooked), decision="deny")

    got = arrived(receiver, 3)
    assert [each.headers["x-webhook-attempt"] for each in got] == ["1", "2", "3"]
    assert len({each.raw for each in got}) == 1
    hooked.control("webhooks/flush")
    (row,) = hooked.look("webhooks")
    assert (row["state"], row["attempts"]) == ("delivered", [500, 302, 200])


def test_the_vendor_gives_up_in_the_end(hooked: Vendor, receiver: Receiver) -> None:
    receiver.answers = [503] * 9

    hooked.open(journey(hooked), decision="deny")

    arrived(receiver, 5)
    eventually(lambda: hooked.look("webhooks")[0]["state"] == "failed")
    assert len(receiver.got) == 5


def test_nobody_at_the_address_is_a_failure_too(hooked: Vendor) -> None:
    hooked.control("webhooks", url="http://127.0.0.1:9/")

    hooked.open(journey(hooked), decision="deny")

    eventually(lambda: hooked.look("webhooks")[0]["state"] == "failed")
    assert hooked.look("webhooks")[0]["attempts"] == ["ConnectionError"] * 5


def test_what_is_under_way_at_a_reset_is_not_tried_again(
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


def test_duplicates_on_demand(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", duplicate=2)

    hooked.open(journey(hooked), decision="deny")

    assert len({each.raw for each in arrived(receiver, 3)}) == 1
    assert [row["copy"] for row in hooked.look("webhooks")] == [0, 1, 2]


def test_the_latest_first_on_demand(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", reorder=True)
    for verification_id in ("a", "b", "c"):
        journey(hooked, verification_id)
        hooked.control(f"journeys/{verification_id}", decision="deny")
    assert [row["state"] for row in hooked.look("webhooks")] == ["held"] * 3

    assert hooked.control("webhooks/flush")["done"] is True

    assert [body["data"]["verification_id"] for body in bodies(receiver, 3)] == ["c", "b", "a"]


def test_late_ones_wait_until_flushed(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", delay_s=60)
    hooked.open(journey(hooked), decision="deny")
    assert hooked.look("webhooks")[0]["state"] == "waiting"

    hooked.control("webhooks/flush")

    assert len(receiver.got) == 1


def test_lost_ones_never_come(hooked: Vendor, receiver: Receiver) -> None:
    hooked.control("webhooks", off=True)
    hooked.open(journey(hooked), decision="deny")

    hooked.control("webhooks/flush")

    assert receiver.got == []
    assert hooked.look("webhooks")[0]["state"] == "off"


def test_the_log_holds_no_person_and_no_secret(hooked: Vendor) -> None:
    journey(hooked)
    hooked.control("journeys/d-1", decision="allow", person={"name": "Canary Name"})

    text = json.dumps(hooked.look("webhooks"))

    assert "DIGILOCKER_VERIFICATION_SUCCESS" in text
    assert "Canary" not in text
    assert "sandbox-secret" not in text
