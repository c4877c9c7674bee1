"""A kind in one file, JOURNEY without documents: a person pays by one of several links."""

import json
import time

import pytest
import requests

from demo.person import Person
from satyapan import State, Verification, linked
from tests.support.eventually import eventually
from tests.support.toy_stack import Toys
from tests.web.callbacks_app import signed

CHARGE = "toy_pay"
ENDS = [("pay", State.DONE, "SUCCESS"), ("decline", State.FAILED, "FAILURE")]


def begun(toys: Toys, name: str) -> Verification:
    """Submit, and wait for the link."""
    toys.submit("toy_pay", name)
    return toys.producer.wait(name, timeout=30, until=linked)


def press(toys: Toys, name: str, button: str) -> None:
    """Let the person press a button of the vendor's page."""
    toys.stack.control(f"journeys/{name}", {"decision": button})


@pytest.mark.parametrize(("button", "state", "status"), ENDS)
def test_the_person_decides(toys: Toys, button: str, state: State, status: str) -> None:
    link = begun(toys, f"pay-{button}")

    press(toys, link.id, button)
    ended = toys.end(link.id)

    assert (ended.state, ended.status, ended.attempts) == (state, status, 1)
    assert (ended.result or {})["status"] == status
    assert toys.charges(CHARGE, link.id) == 1
    assert toys.changes(link.id) == ["link_ready", state.lower()]


def test_numbers_of_accounts_and_payments_are_not_masked(toys: Toys) -> None:
    press(toys, begun(toys, "pay-numbers").id, "pay")

    result = toys.end("pay-numbers").result or {}
    assert (result["bank_account"], result["utr"]) == ("026291800001191", "404223241811")


def test_the_hand_off_reaches_the_producer_and_is_gone_at_the_end(toys: Toys) -> None:
    link = begun(toys, "pay-handoff")

    assert link.link.startswith("http")
    assert set(link.handoff) == {"upi_link", "gpay", "qr_code"}
    assert link.handoff["upi_link"].startswith("upi://pay?")
    assert link.picture("qr_code").startswith(b"\x89PNG")
    press(toys, "pay-handoff", "pay")
    assert toys.end("pay-handoff").handoff == {}


def test_the_person_pays_on_the_page_and_comes_back_to_ours(toys: Toys) -> None:
    toys.webhooks(off=True)
    person = Person()
    page = person.open(begun(toys, "pay-page").link)

    back = person.send(page, {"decision": "pay"})
    toys.webhooks(off=False)

    assert back.good
    assert back.url.startswith(f"{toys.stack.callbacks_url}/return/toy_pay/")
    assert toys.end("pay-page").state is State.DONE


def test_nobody_pays_in_time(toys: Toys) -> None:
    begun(toys, "pay-late")

    toys.stack.control("clock", {"advance_s": 600})

    ended = toys.end("pay-late")
    assert (ended.state, ended.status) == (State.EXPIRED, "EXPIRED")
    assert toys.changes("pay-late") == ["link_ready", "expired"]


def test_a_refusal_names_its_field(toys: Toys) -> None:
    ended = toys.ended("toy_pay", "pay-refused", name="x" * 150)

    assert (ended.state, ended.refused_field) == (State.REFUSED, "name")


def test_a_call_that_was_not_executed_is_sent_again_under_the_same_id(toys: Toys) -> None:
    toys.fault("toy_pay", cut="before_status", executed=False)

    link = begun(toys, "pay-cut")

    assert (link.generation, link.attempts) == (1, 2)
    assert toys.charges(CHARGE, "pay-cut") == 1
    press(toys, "pay-cut", "pay")
    assert toys.end("pay-cut").state is State.DONE


def test_a_lost_link_is_parked_and_a_redrive_finds_a_payment(toys: Toys) -> None:
    toys.fault("toy_pay", cut="in_body")
    lost = toys.ended("toy_pay", "pay-lost")
    toys.satyapan("redrive", "pay-lost")
    again = toys.end("pay-lost")
    press(toys, "pay-lost", "pay")

    toys.satyapan("redrive", "pay-lost")
    ended = toys.end("pay-lost")

    assert (lost.state, lost.reason) == (again.state, again.reason) == (State.PARKED, "lost_link")
    assert (ended.state, ended.status, ended.generation) == (State.DONE, "SUCCESS", 1)
    assert toys.charges(CHARGE, "pay-lost") == 1


def test_a_lost_link_is_bought_again_by_a_person_and_that_is_recorded(toys: Toys) -> None:
    toys.fault("toy_pay", cut="in_body")
    toys.ended("toy_pay", "pay-again")

    toys.satyapan("reissue", "pay-again", "--pay-again", "--by", "asha")
    link = toys.producer.wait("pay-again", timeout=30, until=linked)
    press(toys, "pay-again.g2", "pay")

    ended = toys.end("pay-again")
    assert link.generation == 2
    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert [toys.charges(CHARGE, one) for one in ("pay-again", "pay-again.g2")] == [1, 1]
    assert toys.changes("pay-again") == ["parked", "reissued", "link_ready", "done"]


def test_a_webhook_repeated_and_after_the_end_changes_nothing(toys: Toys) -> None:
    toys.webhooks(duplicate=2, reorder=True)
    press(toys, begun(toys, "pay-hooks").id, "pay")
    ended = toys.end("pay-hooks")

    toys.webhooks(duplicate=0, reorder=False)
    toys.stack.control("webhooks/flush", {})
    eventually(lambda: toys.inbox("pay-hooks") == ["HANDLED"])

    assert toys.read("pay-hooks") == ended
    assert toys.changes("pay-hooks") == ["link_ready", "done"]


def test_a_forged_webhook_is_refused(toys: Toys) -> None:
    link = begun(toys, "pay-forged")
    data = {"verification_id": link.id, "status": "SUCCESS"}
    content = {"event_type": "TOY_PAY_SUCCESS", "version": "v1", "data": data}
    body = json.dumps({**content, "event_time": "2026-01-05T10:11:14Z"}).encode()

    url = f"{toys.stack.callbacks_url}/webhooks/cashfree"
    answer = requests.post(url, data=body, headers=signed(body, secret="guessed"), timeout=10)

    time.sleep(0.5)
    assert answer.status_code == 401
    assert toys.inbox(link.id) == []
    assert toys.read(link.id).state is State.PENDING
