"""Redirects, webhooks and polls lead to the same final state in any order.

tests/model/test_journey_orders.py tries all orders in memory. This file tries a fixed random sample
with the real ledger, inbox and sandbox; only Celery is left out.
"""

import random
from typing import Any

import pytest

from callbacks.app import create_app
from callbacks.webhooks.incoming_webhook import read_webhook
from satyapan import State
from shared.return_tokens import ReturnTokens
from tests.support.journey_simulator import END, Stimulus, Truth
from tests.support.worker_harness import Harness
from tests.web.callbacks_app import EVENT, written

EVENTS = {
    Stimulus.SUCCESS: "SUCCESS",
    Stimulus.DENIED: "CONSENT_DENIED",
    Stimulus.EXPIRED: "LINK_EXPIRED",
    Stimulus.CONSENT_EXPIRED: "CONSENT_EXPIRED",
}
DRAW = random.Random(4)
ORDERS = [DRAW.choices(list(Stimulus), k=DRAW.randint(1, 5)) for _ in range(8)]


def act_as_person(harness: Harness, journey: str, truth: Truth) -> None:
    """Do what the person does, without the sandbox's webhook."""
    harness.vendor.post("webhooks", off=True)
    if truth is Truth.NOTHING:
        harness.vendor.post("clock", advance_s=601)
    else:
        decision = {Truth.ALLOWED: "allow", Truth.DENIED: "deny"}[truth]
        harness.vendor.post(f"journeys/{journey}", decision=decision)


def apply_stimulus(harness: Harness, journey: str, stimulus: Stimulus) -> None:
    """Deliver one stimulus."""
    if stimulus is Stimulus.POLL:
        harness.parts.engine.run(journey)
    elif stimulus is Stimulus.REDIRECT:
        harness.parts.check_status(journey)
    else:
        deliver(harness, journey, EVENTS[stimulus])


def deliver(harness: Harness, journey: str, event: str) -> None:
    """Store a webhook as the callbacks app does, and let a worker take it."""
    name = f"DIGILOCKER_VERIFICATION_{event}"
    body = written({**EVENT, "event_type": name, "data": {"verification_id": journey}})
    inbox = harness.parts.ingest._inbox
    webhook = read_webhook(body, "cashfree", harness.parts.kinds)
    webhook_id = inbox.webhook_id("cashfree", webhook.signed)
    inbox.store(webhook_id, "cashfree", webhook.event, webhook.body, webhook.vendor_id)
    harness.parts.ingest.take(webhook_id)


@pytest.mark.parametrize("truth", Truth)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(each.name for each in order))
def test_the_final_state_follows_the_person_and_is_published_once(
    harness: Harness, truth: Truth, order: list[Stimulus]
) -> None:
    journey = harness.submit("digilocker")
    harness.run_once(journey)
    act_as_person(harness, journey, truth)

    for stimulus in order:
        apply_stimulus(harness, journey, stimulus)
    ended = harness.settle(journey)
    for stimulus in Stimulus:
        apply_stimulus(harness, journey, stimulus)

    assert ended.state is END[truth]
    assert harness.read(journey) == ended
    changes = harness.changes()
    assert changes == ["link_ready", END[truth].lower()]
    if truth is Truth.ALLOWED:
        assert set((ended.result or {})["documents"]) == {"AADHAAR", "PAN"}


def test_a_webhook_with_an_unknown_id_changes_no_state(harness: Harness) -> None:
    journey = harness.submit("digilocker")
    harness.run_once(journey)

    deliver(harness, "not-ours", "SUCCESS")

    assert harness.read(journey).state is State.PENDING


def test_a_person_who_returns_after_the_end_is_still_redirected(
    redis_url: str, sandbox: Any
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_RETURN_HOSTS="shop.example")
    wanted = {**harness.example("digilocker"), "return_url": "https://shop.example/kyc"}
    journey = harness.submit("digilocker", **wanted)
    harness.run_once(journey)
    act_as_person(harness, journey, Truth.ALLOWED)
    ended = harness.settle(journey)

    secrets = [key.reveal() for key in harness.settings.callbacks.token_keys]
    token = ReturnTokens(secrets, 3600).sign("digilocker", journey)
    answer = create_app(harness.settings).test_client().get(f"/return/digilocker/{token}")

    assert ended.state is State.DONE
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"https://shop.example/kyc?verification_id={journey}"
    assert set(harness.row(journey).request) == {"return_url"}
