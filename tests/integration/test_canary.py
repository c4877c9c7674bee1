"""Private data in clear: nowhere but in sealed envelopes (I13).

Unmistakable values travel through all three kinds, with webhooks, a visitor and a lost answer; then
everything that was written anywhere is searched for them: every key and value of Redis, its
append-only file (which has each command ever sent: queues, streams, channels), every log, and the
command lines of all processes.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import redis
import requests

from demo.local_stack import LocalStack
from satyapan import State, linked
from tests.support.eventually import eventually

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

Played = tuple[LocalStack, Mapping[str, Any]]
"""The stack, and what came back from it."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("canary")
    env = {
        "SATYAPAN_LOG_LEVEL": "DEBUG",
        "SATYAPAN_RETURN_HOSTS": "kanari-return.example.in",
    }
    with LocalStack(folder, env=env) as stack:
        yield stack, play(stack)


def play(stack: LocalStack) -> Mapping[str, Any]:
    """Send the canaries through everything; returns what came back, by story."""
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


def test_the_canaries_really_travelled(played: Played) -> None:
    _, story = played

    assert State.DONE in story["states"]
    assert State.PARKED in story["states"]
    for canary in (PASSPORT["file_number"], PERSON["name"], PERSON["pan"]):
        assert canary in story["results"]


def test_the_visitor_came_through_the_inbox(played: Played) -> None:
    stack, _ = played

    events: list[str] = []

    def told() -> bool:
        events.extend(e.name for e in stack.verifications().events("visitor") if e.parent)
        return "done" in events

    eventually(told)


@pytest.mark.parametrize("where", ["redis", "aof", "logs", "processes"])
def test_no_canary_is_in_clear(played: Played, where: str) -> None:
    stack, story = played
    sinks = {"redis": redis_bytes, "aof": aof_bytes, "logs": log_bytes, "processes": titles}

    seen = b"\n".join(sinks[where](stack))

    assert len(seen) > 100, "nothing was searched"
    for canary in (*CANARIES, story["link"]):
        assert canary.encode() not in seen


def test_the_search_would_find_a_canary(played: Played) -> None:
    stack, _ = played
    client = redis.Redis.from_url(stack.server.url)
    client.xadd("planted", {"x": CANARIES[0]})

    assert CANARIES[0].encode() in b"\n".join(redis_bytes(stack))
    eventually(lambda: CANARIES[0].encode() in b"\n".join(aof_bytes(stack)))
    client.delete("planted")


def redis_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Give every key and its whole value, however it is built."""
    client = redis.Redis.from_url(stack.server.url, protocol=2)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        kind: Any = client.type(key)
        yield key
        yield repr(readers[kind](key)).encode()


def aof_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Give the append-only files: each write command that the server was ever sent."""
    for path in (stack.folder / "redis").rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def log_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Give everything that any child printed."""
    for path in Path(stack.logs).iterdir():
        yield path.read_bytes()


def titles(_: LocalStack) -> Iterator[bytes]:
    """Give the command lines of all processes of this machine (where /proc has them)."""
    yield b"this test: " + " ".join(sys.argv).encode() + b" " * 100
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            yield process.read_bytes()
