"""A kind in one file, ASYNC with READ: accepted, then answered to a read or announced."""

import json
import time
from typing import Any

import pytest
import requests

from satyapan import State
from tests.support.eventually import eventually
from tests.support.toy_stack import Toys
from tests.web.callbacks_app import signed

CHARGE = "toy_account"
SLOW = {"bank_account": "1233943142"}
"""An hour passes until the vendor has the answer to this one."""
ENDS: list[tuple[str, dict[str, str], str]] = [
    ("valid", {}, "VALID/ACCOUNT_IS_VALID"),
    (
        "invalid",
        {"bank_account": "7766666585146", "ifsc": "YESB0000001"},
        "INVALID/INVALID_ACCOUNT_FAIL",
    ),
    ("fraud", {"bank_account": "7766667989884"}, "REJECTED/FRAUD_ACCOUNT"),
]


def charges(toys: Toys, name: str) -> int:
    return toys.charges(CHARGE, toys.vendor_id("toy_account", name))


def pending(toys: Toys, name: str, **changes: Any) -> None:
    """Submit one whose answer takes an hour, and wait until the vendor works on it."""
    toys.submit("toy_account", name, **{**SLOW, **changes})
    eventually(lambda: toys.read(name).state is State.PENDING)


def pass_an_hour(toys: Toys) -> None:
    toys.stack.control("clock", {"advance_s": 3600})


@pytest.mark.parametrize(("name", "request_", "status"), ENDS, ids=[each[0] for each in ENDS])
def test_each_status_is_an_answer(
    toys: Toys, name: str, request_: dict[str, str], status: str
) -> None:
    ended = toys.ended("toy_account", f"acc-{name}", **request_)

    assert (ended.state, ended.status, ended.attempts) == (State.DONE, status, 1)
    assert charges(toys, ended.id) == 1
    assert toys.vendor_id("toy_account", ended.id) != ended.id, "a hyphen is illegal in user_id"
    assert toys.changes(ended.id) == ["done"]


def test_a_number_of_twelve_digits_is_not_masked(toys: Toys) -> None:
    ended = toys.ended("toy_account", "acc-utr")

    assert (ended.result or {})["utr"] == "404223241811"


def test_a_refusal_names_its_field(toys: Toys) -> None:
    ended = toys.ended("toy_account", "acc-refused", bank_account="12-34-56")

    assert (ended.state, ended.refused_field) == (State.REFUSED, "bank_account")


@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_answer_is_recovered_under_the_same_id_and_charged_once(
    toys: Toys, executed: bool
) -> None:
    name = f"acc-cut-{executed}"
    toys.fault("toy_account", cut="before_status", executed=executed)

    ended = toys.ended("toy_account", name)

    assert (ended.state, ended.generation) == (State.DONE, 1)
    assert charges(toys, name) == 1
    assert ended.attempts == (1 if executed else 2)


def test_a_lost_answer_that_the_vendor_still_works_on_continues_under_the_same_id(
    toys: Toys,
) -> None:
    toys.fault("toy_account", cut="in_body")

    pending(toys, "acc-received")
    found = toys.read("acc-received")
    pass_an_hour(toys)
    ended = toys.end("acc-received")

    assert (found.status, found.generation) == ("RECEIVED/VALIDATION_IN_PROGRESS", 1)
    assert (ended.state, ended.generation, ended.attempts) == (State.DONE, 1, 1)
    assert charges(toys, "acc-received") == 1


def test_a_duplicate_answer_after_a_lost_one_is_read(toys: Toys) -> None:
    toys.fault("toy_account", cut="before_status")
    toys.fault("toy_account_read", status=404, code="user_id_not_found", times=2)

    ended = toys.ended("toy_account", "acc-duplicate")

    assert (ended.state, ended.generation, ended.attempts) == (State.DONE, 1, 2)
    assert charges(toys, "acc-duplicate") == 1


def test_a_webhook_about_a_derived_id_finds_its_row_and_its_copy_changes_nothing(
    toys: Toys,
) -> None:
    toys.webhooks(duplicate=1)
    pending(toys, "acc-hook")

    pass_an_hour(toys)
    ended = toys.end("acc-hook")
    eventually(lambda: toys.inbox("acc-hook") == ["HANDLED"])
    toys.webhooks(duplicate=0)

    vendor_id = toys.vendor_id("toy_account", "acc-hook")
    sent = toys.stack.control("webhooks")["webhooks"]
    assert [d["state"] for d in sent if d["verification_id"] == vendor_id] == ["delivered"] * 2
    assert ended.state is State.DONE
    assert toys.changes("acc-hook") == ["done"]


def test_a_webhook_after_the_end_changes_nothing(toys: Toys) -> None:
    toys.webhooks(reorder=True)
    ended = toys.ended("toy_account", "acc-late")

    toys.webhooks(reorder=False)
    toys.stack.control("webhooks/flush", {})
    eventually(lambda: toys.inbox("acc-late") == ["HANDLED"])

    assert toys.read("acc-late") == ended
    assert toys.changes("acc-late") == ["done"]


def test_a_forged_webhook_is_refused(toys: Toys) -> None:
    pending(toys, "acc-forged")
    data = {"user_id": toys.vendor_id("toy_account", "acc-forged"), "account_status": "VALID"}
    content = {"event_type": "TOY_ACCOUNT_SUCCESS", "version": "v2", "data": data}
    body = json.dumps({**content, "event_time": "2026-01-05T10:11:14Z"}).encode()

    url = f"{toys.stack.callbacks_url}/webhooks/cashfree"
    answer = requests.post(url, data=body, headers=signed(body, secret="guessed"), timeout=10)

    time.sleep(0.5)
    assert answer.status_code == 401
    assert toys.inbox("acc-forged") == []
    assert toys.read("acc-forged").state is State.PENDING
    pass_an_hour(toys)
    assert toys.end("acc-forged").state is State.DONE


def test_forgetting_one_finds_the_webhooks_about_its_derived_id(toys: Toys) -> None:
    toys.webhooks(duplicate=1, reorder=True)
    toys.ended("toy_account", "acc-forget")
    toys.webhooks(duplicate=0, reorder=False)
    toys.stack.control("webhooks/flush", {})
    eventually(lambda: toys.inbox("acc-forget") == ["HANDLED"])
    before = toys.satyapan("inbox", "--limit", "1000").count("\n")

    said = toys.satyapan("forget", "acc-forget")

    assert "1 webhooks" in said
    assert toys.inbox("acc-forget") == []
    assert toys.satyapan("inbox", "--limit", "1000").count("\n") == before - 1
    assert toys.read("acc-forget").result is None
