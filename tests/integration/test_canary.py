"""Private data is stored encrypted only (I13).

Unique values (canaries) pass through all three kinds, with webhooks, a visitor and a lost answer.
Then everything that was written is searched for them: every key and value of Redis, its append-only
file (which has every command: queues, streams, channels), every log, and the command lines of all
processes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import redis
import requests

from demo.local_stack import LocalStack
from satyapan import State, linked
from tests.support.eventually import eventually
from tests.support.sinks import SINKS, aof_bytes, redis_bytes

PERSON: Final = {
    "name": "Kanaricanary Fullname",
    "mobile": "9876501234",
    "pan": "CNRYA1234Z",
    "care_of": "S/O: Kanariparent",
}
PASSPORT: Final = {
    "file_number": "PA2771717171717",
    "dob": "1971-07-17",
    "name": "Kanaripassport Name",
}
RETURN_URL: Final = "https://kanari-return.example.in/private-path-7171"
VISITOR: Final = {"name": "Kanarivisitor", "phone": "9123471717", "email": "kanari@7171.example"}
CANARIES: Final = (*PERSON.values(), *PASSPORT.values(), RETURN_URL, *VISITOR.values())

Outcome = tuple[LocalStack, Mapping[str, Any]]
"""The stack, and what the producer got: the link, the final states, the results."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("canary")
    env = {
        "SATYAPAN_LOG_LEVEL": "DEBUG",
        "SATYAPAN_RETURN_HOSTS": "kanari-return.example.in",
    }
    with LocalStack(folder, env=env) as stack:
        yield stack, send_canaries(stack)


def send_canaries(stack: LocalStack) -> Mapping[str, Any]:
    """Send the canaries through all kinds; return the link, the final states and the results."""
    verifications = stack.verifications()
    passport = verifications.submit("passport", PASSPORT, key="a")
    verifications.wait(passport.id)
    stack.control("faults", {"route": "passport", "cut": "in_body"})
    lost = verifications.submit("passport", PASSPORT, key="lost")
    template = {"template_name": "Aadhaar_verification"}
    shared = verifications.submit("static_kyc_link", template, key="b")
    wanted = {"document_requested": ["AADHAAR", "PAN"], "return_url": RETURN_URL}
    journey = verifications.submit("digilocker", wanted, key="c")
    link = verifications.wait(journey.id, until=linked).link
    stack.control(f"journeys/{journey.id}", {"decision": "allow", "person": PERSON})
    link_page = verifications.wait(shared.id).link
    requests.post(link_page, data=VISITOR, timeout=10)
    ends = [verifications.wait(one.id) for one in (passport, lost, shared, journey)]
    results = [end.result for end in ends]
    return {"link": link, "states": [end.state for end in ends], "results": str(results)}


def test_the_canaries_reached_the_results(outcome: Outcome) -> None:
    _, returned = outcome

    assert State.DONE in returned["states"]
    assert State.PARKED in returned["states"]
    for canary in (PASSPORT["file_number"], PERSON["name"], PERSON["pan"]):
        assert canary in returned["results"]


def test_the_visitors_webhook_passed_through_the_inbox(outcome: Outcome) -> None:
    stack, _ = outcome

    events: list[str] = []

    def has_done_event() -> bool:
        events.extend(e.name for e in stack.verifications().events("visitor") if e.parent)
        return "done" in events

    eventually(has_done_event)


@pytest.mark.parametrize("where", SINKS)
def test_no_canary_is_in_clear(outcome: Outcome, where: str) -> None:
    stack, returned = outcome

    seen = b"\n".join(SINKS[where](stack))

    assert len(seen) > 100, "nothing was searched"
    for canary in (*CANARIES, returned["link"]):
        assert canary.encode() not in seen


def test_the_search_finds_a_planted_canary(outcome: Outcome) -> None:
    stack, _ = outcome
    client = redis.Redis.from_url(stack.server.url)
    client.xadd("planted", {"x": CANARIES[0]})

    assert CANARIES[0].encode() in b"\n".join(redis_bytes(stack))
    eventually(lambda: CANARIES[0].encode() in b"\n".join(aof_bytes(stack)))
    client.delete("planted")
