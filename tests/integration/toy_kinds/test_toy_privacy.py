"""No private field of a kind is shown in clear, whatever becomes of its verifications."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
import requests

from satyapan import State, linked
from tests.support.eventually import eventually
from tests.support.sinks import SINKS
from tests.support.toy_stack import NAMES, Toys, toy_kinds

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "toy_pan": {"pan": "CANAR1234Y", "name": "Kanaripan Name"},
    "toy_pan_check": {"pan": "CANAR4321Y", "name": "Kanaricheck Name"},
    "toy_account": {
        "bank_account": "KANARI7171717",
        "ifsc": "KANA0717171",
        "name": "Kanariaccount Name",
    },
    "toy_pay": {"name": "Kanaripay Name"},
}
"""A canary in each private field of a request."""
RESULTS: Final = ("JOHN DOE", "404223241811", "success@upi", "YES BANK", "026291800001191")
"""Private values of results, as the sandbox makes them."""

Canaries = tuple[Toys, tuple[str, ...]]


@pytest.fixture(scope="module")
def canaries(toys: Toys) -> Canaries:
    """Bring each kind to DONE and to PARKED; return all private values, hand-offs included."""
    private = [value for request in REQUESTS.values() for value in request.values()]
    for kind in NAMES:
        toys.submit(kind, f"canary-{kind}", **REQUESTS[kind])
    link = toys.producer.wait("canary-toy_pay", timeout=30, until=linked)
    private += [link.link, *link.handoff.values()]
    toys.stack.control("journeys/canary-toy_pay", {"decision": "pay"})
    assert {toys.end(f"canary-{kind}").state for kind in NAMES} == {State.DONE}
    for kind in ("toy_pan_check", "toy_pay"):
        toys.fault(kind, cut="in_body")
        assert toys.ended(kind, f"parked-{kind}", **REQUESTS[kind]).state is State.PARKED
    webhooks = ("canary-toy_account", "canary-toy_pay")
    eventually(lambda: [toys.inbox(one) for one in webhooks] == [["HANDLED"]] * 2)
    return toys, (*private, *RESULTS)


def test_every_private_field_of_a_request_has_a_canary() -> None:
    for name, kind in toy_kinds().items():
        fields = kind.request().fields
        assert {one for one in fields if not kind.is_public(one)} == set(REQUESTS[name])


def test_the_canaries_reached_the_results(canaries: Canaries) -> None:
    toys, private = canaries
    results = str([toys.read(f"canary-{kind}").result for kind in NAMES])

    assert [value for value in RESULTS if value not in results] == []
    assert "KANARI7171717" in private
    assert "Kanaripay Name" in results


@pytest.mark.parametrize("where", SINKS)
def test_no_canary_is_in_what_is_written(canaries: Canaries, where: str) -> None:
    toys, private = canaries

    seen = b"\n".join(SINKS[where](toys.stack))

    assert len(seen) > 100, "nothing was searched"
    assert [value for value in private if value.encode() in seen] == []


def all_events(toys: Toys) -> str:
    return repr(list(toys.producer.events("privacy", block=0.05)))


def metrics(toys: Toys) -> str:
    return requests.get(f"{toys.stack.callbacks_url}/metrics", timeout=10).text


def shown(toys: Toys) -> str:
    ids = [f"canary-{kind}" for kind in NAMES] + ["parked-toy_pay", "parked-toy_pan_check"]
    calls = [("show", one, *more) for one in ids for more in ((), ("--json",))]
    return "".join(toys.satyapan(*call) for call in calls)


def listed(toys: Toys) -> str:
    calls = [("list", "--limit", "1000"), ("list", "--json"), ("audit",), ("inbox", "--json")]
    return "".join(toys.satyapan(*call) for call in calls)


def webhooks(toys: Toys) -> str:
    ids = [line.split('"')[3] for line in toys.satyapan("inbox", "--json").splitlines()]
    return "".join(toys.satyapan("inbox", "--show", one) for one in ids)


def representations(toys: Toys) -> str:
    return repr([toys.read(f"canary-{kind}") for kind in NAMES])


@pytest.mark.parametrize("print_", [all_events, metrics, shown, listed, webhooks, representations])
def test_no_canary_is_in_what_is_shown(canaries: Canaries, print_: Callable[[Toys], str]) -> None:
    toys, private = canaries

    text = print_(toys)

    assert "toy_" in text.lower(), "nothing was shown"
    assert [value for value in private if value in text] == []
