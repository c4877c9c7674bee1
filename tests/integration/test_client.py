"""The client on a real server, without a worker; and what it shares with its fake."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import pytest
import redis

from satyapan import (
    Conflict,
    Event,
    InvalidRequest,
    NotFound,
    State,
    StillOpen,
    Unreadable,
    Verifications,
)
from satyapan.events import write_event
from satyapan.ledger import results
from satyapan.names import Keys
from satyapan.records import Row
from satyapan.sealing import KeyRing, new_key
from satyapan.testing import FakeVerifications
from tests.support.eventually import eventually
from worker.ledger.work_ledger import Lives, WorkLedger

PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "Canary Person"}
OTHER = {**PERSON, "dob": "2007-03-02"}
SEAL_KEYS = new_key("k1")
KEYS = Keys()


def environment(url: str, **more: str) -> dict[str, str]:
    return {
        "SATYAPAN_REDIS_URL": url,
        "SATYAPAN_SEAL_KEYS": SEAL_KEYS,
        "SATYAPAN_ID_KEY": base64.b64encode(bytes(32)).decode(),
        "SATYAPAN_RETURN_HOSTS": "canary",
        **more,
    }


def connect(url: str) -> Verifications:
    return Verifications.from_env(environment(url))


@pytest.fixture
def store(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def real(redis_url: str) -> Verifications:
    return connect(redis_url)


# ---- what the real client and the fake have in common ----


@dataclass(frozen=True)
class Both:
    """A client, and a function that adds an event for it."""

    client: Verifications
    add_event: Callable[[str], object]


@pytest.fixture(params=["real", "fake"])
def both(request: pytest.FixtureRequest, redis_url: str) -> Both:
    if request.param == "fake":
        fake = FakeVerifications()
        return Both(fake, fake.park)

    def add_event(row_id: str) -> None:
        row = Row(id=row_id, kind="passport", state=State.PARKED, reason="lost_answer", seq=1)
        with redis.Redis.from_url(redis_url) as store:
            store.xadd(KEYS.events("default"), {"event": write_event(row, "parked", 1)})

    return Both(connect(redis_url), add_event)


def ids(events: Iterator[Event]) -> list[str]:
    return [event.verification_id for event in events]


def test_submitting_again_gives_the_same_verification(both: Both) -> None:
    first = both.client.submit("passport", PERSON, verification_id="order-17")

    again = both.client.submit("passport", dict(reversed(PERSON.items())), verification_id=first.id)

    assert first.id == again.id == "order-17"
    assert again == both.client.get("order-17")
    assert both.client.counts()[State.ACCEPTED] == 1


def test_a_key_always_gives_the_same_id(both: Both) -> None:
    ids_ = {both.client.submit("passport", PERSON, key="customer-17").id for _ in range(3)}

    assert len(ids_) == 1
    assert both.client.submit("passport", PERSON, key="customer-18").id not in ids_


def test_other_data_or_another_kind_under_the_same_id_is_a_conflict(both: Both) -> None:
    both.client.submit("passport", PERSON, verification_id="order-17")
    before = both.client.get("order-17")

    for kind, data in (("passport", OTHER), ("static_kyc_link", {"template_name": "a"})):
        with pytest.raises(Conflict) as caught:
            both.client.submit(kind, data, verification_id="order-17")
        assert caught.value.verification_id == "order-17"
        assert "Canary" not in str(caught.value)

    assert both.client.get("order-17") == before


@pytest.mark.parametrize(
    ("kind", "data", "identity", "fields"),
    [
        ("passport", {}, {"verification_id": "a b"}, ["verification_id", "file_number", "dob"]),
        ("passport", PERSON, {"verification_id": "order.g2"}, ["verification_id"]),
        ("passport", PERSON, {}, ["verification_id"]),
        ("passport", PERSON, {"verification_id": "a", "key": "a"}, ["verification_id"]),
        ("passport", PERSON, {"key": ""}, ["key"]),
        ("passports", PERSON, {"key": "a"}, ["kind"]),
        ("passport", PERSON, {"key": "a", "priority": "urgent"}, ["priority"]),
        ("passport", PERSON, {"key": "a", "operation": "urgent"}, ["operation"]),
    ],
)
def test_an_invalid_submit_is_refused_and_nothing_is_stored(
    both: Both, kind: str, data: Mapping[str, Any], identity: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        both.client.submit(kind, data, **identity)

    assert [fault.field for fault in caught.value.faults] == fields
    assert "Canary" not in str(caught.value)
    assert sum(both.client.counts().values()) == 0


def test_an_unknown_id_is_none_for_get_and_not_found_for_wait(both: Both) -> None:
    assert both.client.get("order-17") is None
    with pytest.raises(NotFound, match="order-17"):
        both.client.wait("order-17", timeout=60)


def test_a_wait_that_times_out_raises_still_open_with_the_verification(both: Both) -> None:
    one = both.client.submit("passport", PERSON, key="a")

    with pytest.raises(StillOpen) as caught:
        both.client.wait(one.id, timeout=0.2)

    assert caught.value.verification == both.client.get(one.id)
    assert both.client.wait(one.id, until=lambda now: now.state is State.ACCEPTED).id == one.id


def test_newest_lists_the_newest_first_up_to_the_limit(both: Both) -> None:
    made = [both.client.submit("passport", PERSON, key=str(n)).id for n in range(3)]

    newest = both.client.newest(State.ACCEPTED, limit=2)

    assert len(newest) == 2
    assert {one.id for one in newest} <= set(made)
    assert newest == sorted(newest, key=lambda one: one.created, reverse=True)
    assert both.client.newest(State.DONE) == []


def test_every_group_gets_every_event_once(both: Both) -> None:
    made = [both.client.submit("passport", PERSON, key=str(n)).id for n in range(3)]
    for one in made:
        both.add_event(one)

    assert ids(both.client.events("billing")) == made
    assert ids(both.client.events("billing")) == []
    assert ids(both.client.events("mailing", reader="other")) == made


def test_an_event_that_a_reader_did_not_finish_is_delivered_to_it_again(both: Both) -> None:
    made = [both.client.submit("passport", PERSON, key=str(n)).id for n in range(2)]
    for one in made:
        both.add_event(one)

    unfinished = next(both.client.events("billing", reader="one"))

    assert unfinished.verification_id == made[0]
    assert ids(both.client.events("billing", reader="one")) == made
    assert ids(both.client.events("billing", reader="two")) == []


# ---- what is stored ----


def read_all_keys(store: "redis.Redis") -> dict[bytes, str]:
    """Return every key of the server with its whole content."""
    read: dict[bytes, Callable[[Any], Any]] = {
        b"string": store.get,
        b"hash": store.hgetall,
        b"list": lambda key: store.lrange(key, 0, -1),
        b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
        b"stream": store.xrange,
    }
    return {key: repr(read[store.type(key)](key)) for key in store.scan_iter()}  # type: ignore[index] # no coroutine here


def wake_ups(store: "redis.Redis") -> list[dict[str, Any]]:
    """Return the messages that wait for workers."""
    found: Any = store.lrange("satyapan:broker:satyapan.run", 0, -1)
    return [json.loads(message) for message in found]


def test_nothing_private_reaches_the_server(store: "redis.Redis", real: Verifications) -> None:
    real.submit("passport", PERSON, key="Canary Key")
    real.submit(
        "digilocker", {"document_requested": ["PAN"], "return_url": "https://canary"}, key="b"
    )
    real.submit("passport", {**PERSON, "file_number": "canary"}, key="c")
    real.close()

    stored = read_all_keys(store)

    assert b"satyapan:due" in stored
    assert all(key.startswith(b"satyapan:") for key in stored)
    for secret in (*PERSON.values(), "canary"):
        for text in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert text.lower() not in repr(stored).lower()


def test_a_submission_is_a_due_row_and_one_wake_up(
    store: "redis.Redis", real: Verifications
) -> None:
    one = real.submit("passport", PERSON, verification_id="order-17")
    real.close()

    row: Any = store.hgetall(KEYS.row(one.id))
    assert row[b"state"] == b"ACCEPTED"
    # At this time the sweeper replaces a lost wake-up.
    assert store.zscore(KEYS.due, one.id) == int(row[b"created"]) + 3_000
    assert store.zscore(KEYS.index("ACCEPTED"), one.id) == int(row[b"created"])
    (message,) = wake_ups(store)
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[["order-17"]], {}]
    assert message["headers"]["task"] == "satyapan.run"


def test_a_repeat_makes_no_second_row_and_no_second_wake_up(
    store: "redis.Redis", real: Verifications
) -> None:
    real.submit("passport", PERSON, verification_id="order-17")
    real.close()
    before = read_all_keys(store)

    real.submit("passport", PERSON, verification_id="order-17")
    with pytest.raises(Conflict):
        real.submit("passport", OTHER, verification_id="order-17")

    assert read_all_keys(store) == before


def submit_ten_at_once(env: Mapping[str, str]) -> set[str]:
    """Submit the same request from ten threads; this runs in a process of its own."""
    verifications = Verifications.from_env(env)
    barrier = threading.Barrier(10, timeout=30)

    def submit(_: int) -> str:
        barrier.wait()
        return verifications.submit("passport", PERSON, key="same").id

    with ThreadPoolExecutor(10) as pool:
        return set(pool.map(submit, range(10)))


def test_fifty_submits_from_five_processes_make_one_row_and_one_wake_up(
    store: "redis.Redis", redis_url: str
) -> None:
    with ProcessPoolExecutor(5, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(submit_ten_at_once, [environment(redis_url)] * 5, timeout=60))

    (one,) = set().union(*found)
    assert list(store.scan_iter(f"{KEYS.row('*')}")) == [KEYS.row(one).encode()]
    assert store.zcard(KEYS.due) == 1
    assert len(wake_ups(store)) == 1


def test_the_error_names_a_key_that_was_removed_from_the_ring(redis_url: str) -> None:
    one = connect(redis_url).submit("passport", PERSON, key="a")
    env = environment(redis_url, SATYAPAN_SEAL_KEYS=new_key("k2"))
    rotated = Verifications.from_env(env)

    with pytest.raises(Unreadable) as caught:
        rotated.get(one.id)

    assert (caught.value.record, caught.value.key_id) == (f"{one.id}/request", "k1")
    assert rotated.newest(State.ACCEPTED)[0].id == one.id
    restored = Verifications.from_env(env | {"SATYAPAN_SEAL_KEYS": f"{new_key('k2')},{SEAL_KEYS}"})
    assert restored.get(one.id)


# ---- waiting ----


def settle(redis_url: str, row_id: str) -> None:
    """End a verification as a worker does."""
    with redis.Redis.from_url(redis_url) as store:
        ring, lives = KeyRing.parse(SEAL_KEYS), Lives(60_000, 60_000)
        ledger = WorkLedger(store, KEYS, ring, 60_000, lives)
        claim = ledger.claim(row_id)
        assert claim is not None
        after = replace(claim.row, state=State.DONE, status="VALID", due=0, result={"name": "J D"})
        ledger.committing(claim.row, after, ["done"], claim.now, keep=False).now()


def has_listener(store: "redis.Redis") -> bool:
    found: Any = store.pubsub_numsub(KEYS.channel("default"))
    return bool(found[0][1])


def test_a_waiter_is_woken_by_the_change(
    store: "redis.Redis", redis_url: str, real: Verifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "READ_AGAIN_S", 60.0)
    one = real.submit("passport", PERSON, key="a")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(real.wait, one.id, 60)
        eventually(lambda: has_listener(store))
        settle(redis_url, one.id)
        answer = waiting.result(timeout=60)

    assert (answer.state, answer.status, answer.result) == (State.DONE, "VALID", {"name": "J D"})
    assert real.wait(one.id, timeout=0) == answer == real.get(one.id)
    assert [event.name for event in real.events("billing")] == ["done"]


def test_a_waiter_sees_the_change_even_if_its_notification_is_lost(
    store: "redis.Redis", real: Verifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "READ_AGAIN_S", 0.1)
    one = real.submit("passport", PERSON, key="a")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(real.wait, one.id, 60)
        eventually(lambda: has_listener(store))
        store.hset(KEYS.row(one.id), "state", "PARKED")

        assert waiting.result(timeout=60).state is State.PARKED


def test_inserts_of_many_threads_share_round_trips_and_each_has_its_own_outcome(
    store: "redis.Redis", real: Verifications
) -> None:
    real.submit("passport", OTHER, verification_id="taken")
    ids_ = [f"order-{number}" for number in range(300)]

    def submit(row_id: str) -> object:
        try:
            return real.submit("passport", PERSON, verification_id=row_id).id
        except Conflict as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(submit, [*ids_, "taken"]))

    assert found[:-1] == ids_
    assert isinstance(found[-1], Conflict)
    assert store.zcard(KEYS.due) == 301
