"""A list of verifications reads many rows in a round trip, and reads no results."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import redis

from satyapan import State
from satyapan.ledger.ledger import Ledger
from satyapan.names import Keys
from satyapan.records import Row
from satyapan.sealing import KeyRing

COUNT = 100
KEYS = Keys()


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def ledger(store: Any) -> Ledger:
    ledger = Ledger(store, KEYS, KeyRing({"k": bytes(32)}))
    private: dict[str, Any] = {"result": {"picture": "x" * 50_000}, "link": "https://canary"}
    for number in range(COUNT):
        row = Row(id=f"k{number}", kind="passport", state=State.DONE, status="VALID", **private)
        ledger.insert(row, 600_000)
        store.zadd(KEYS.index(State.DONE), {row.id: number})
    return ledger


def test_a_list_reads_no_results_and_takes_few_round_trips(store: Any, ledger: Ledger) -> None:
    store.config_resetstat()
    before = store.info("stats")

    rows = list(ledger.newest(State.DONE, COUNT))

    after, commands = store.info("stats"), store.info("commandstats")
    assert len(rows) == COUNT
    assert after["total_net_output_bytes"] - before["total_net_output_bytes"] < 1_000 * COUNT
    assert after["total_reads_processed"] - before["total_reads_processed"] < COUNT // 4
    assert commands["cmdstat_hmget"]["calls"] == COUNT
    assert "cmdstat_hgetall" not in commands


def test_a_list_shows_the_public_fields_and_decrypts_nothing(store: Any, ledger: Ledger) -> None:
    for name in ("request", "draft", "result", "link"):
        store.hset(KEYS.row("k99"), name, b"no envelope: opening it fails")
    whole = ledger.read("k98")

    first, second = islice(ledger.newest(State.DONE, COUNT), 2)

    assert whole
    assert (first.id, second.id) == ("k99", "k98")
    shown = (second.kind, second.state, second.status, second.created, second.updated)
    assert shown == (whole.kind, whole.state, whole.status, whole.created, whole.updated)
    assert (second.result, second.link, second.request) == (None, "", {})


def test_only_rows_that_are_still_in_the_state_are_listed(store: Any, ledger: Ledger) -> None:
    store.hset(KEYS.row("k98"), "state", State.PARKED)
    store.delete(KEYS.row("k97"))

    listed = [row.id for row in ledger.newest(State.DONE, 4)]

    assert listed == ["k99", "k96"]


def test_a_long_list_is_complete_and_in_order(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("satyapan.ledger.ledger._AT_ONCE", 7)

    listed = [row.id for row in ledger.newest(State.DONE, COUNT)]

    assert listed == [f"k{number}" for number in reversed(range(COUNT))]
