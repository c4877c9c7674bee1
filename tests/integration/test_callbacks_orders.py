"""Redirect, webhooks and polls in any order over the real ledger, inbox and sandbox: one end.

All orders are tried in memory by tests/model/test_journey_orders.py; here are some of them, chosen
once by chance, with everything real but Celery.
"""

import random
from typing import Any

import pytest

from callbacks.app import create_app
from callbacks.letters import read_letter
from config.tokens import ReturnTokens
from satyapan import State
from tests.support.journey import END, Happening, Truth
from tests.support.workbench import Workbench
from tests.web.outside import EVENT, written

EVENTS = {
    Happening.SUCCESS: "SUCCESS",
    Happening.DENIED: "CONSENT_DENIED",
    Happening.EXPIRED: "LINK_EXPIRED",
    Happening.CONSENT_EXPIRED: "CONSENT_EXPIRED",
}
DRAW = random.Random(4)
ORDERS = [DRAW.choices(list(Happening), k=DRAW.randint(1, 5)) for _ in range(8)]


def act(bench: Workbench, journey: str, truth: Truth) -> None:
    """Do what the person does, without a webhook of the sandbox's own."""
    bench.vendor.post("webhooks", off=True)
    if truth is Truth.NOTHING:
        bench.vendor.post("clock", advance_s=601)
    else:
        decision = {Truth.ALLOWED: "allow", Truth.DENIED: "deny"}[truth]
        bench.vendor.post(f"journeys/{journey}", decision=decision)


def happen(bench: Workbench, journey: str, what: Happening) -> None:
    """Let something reach us."""
    if what is Happening.POLL:
        bench.parts.run(journey)
    elif what is Happening.REDIRECT:
        bench.parts.look(journey)
    else:
        deliver(bench, journey, EVENTS[what])


def deliver(bench: Workbench, journey: str, event: str) -> None:
    """Store a webhook as the callbacks app does, and let a worker take it."""
    name = f"DIGILOCKER_VERIFICATION_{event}"
    body = written({**EVENT, "event_type": name, "data": {"verification_id": journey}})
    inbox, letter = bench.parts.ingest._inbox, read_letter(body)
    letter_id = inbox.name("cashfree", letter.signed)
    inbox.store(letter_id, "cashfree", letter.event, letter.body, letter.vendor_id)
    bench.parts.take(letter_id)


@pytest.mark.parametrize("truth", Truth)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(each.name for each in order))
def test_the_end_is_what_the_person_did_and_is_told_once(
    bench: Workbench, truth: Truth, order: list[Happening]
) -> None:
    journey = bench.submit("digilocker")
    bench.once(journey)
    act(bench, journey, truth)

    for what in order:
        happen(bench, journey, what)
    ended = bench.settle(journey)
    for what in Happening:
        happen(bench, journey, what)

    assert ended.state is END[truth]
    assert bench.look(journey) == ended
    changes = bench.changes()
    assert changes == ["link_ready", END[truth].lower()]
    if truth is Truth.ALLOWED:
        assert set((ended.result or {})["documents"]) == {"AADHAAR", "PAN"}


def test_an_id_that_was_never_ours_is_kept_and_moves_nothing(bench: Workbench) -> None:
    journey = bench.submit("digilocker")
    bench.once(journey)

    deliver(bench, "not-ours", "SUCCESS")

    assert bench.look(journey).state is State.PENDING


def test_who_comes_back_after_the_end_is_still_sent_on(redis_url: str, sandbox: Any) -> None:
    bench = Workbench(redis_url, sandbox.root, SATYAPAN_RETURN_HOSTS="shop.example")
    wanted = {**bench.example("digilocker"), "return_url": "https://shop.example/kyc"}
    journey = bench.submit("digilocker", **wanted)
    bench.once(journey)
    act(bench, journey, Truth.ALLOWED)
    ended = bench.settle(journey)

    secrets = [key.reveal() for key in bench.settings.callbacks.token_keys]
    token = ReturnTokens(secrets, 3600).sign("digilocker", journey)
    answer = create_app(bench.settings).test_client().get(f"/return/digilocker/{token}")

    assert ended.state is State.DONE
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"https://shop.example/kyc?verification_id={journey}"
    assert set(bench.row(journey).request) == {"return_url"}
