"""Benchmarks fill a server with rows like those that workers write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.store import ANSWER, Store
from demo.server import EmbeddedServer
from satyapan import State


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with EmbeddedServer(tmp_path) as server:
        yield Store(server.url)


def test_a_filled_row_is_like_one_that_a_worker_finished(store: Store) -> None:
    (worked,) = store.submit(1)
    store.finish(worked)
    filled = store.fill(700)

    real, copy = (store.redis.hgetall(store.keys.row(each)) for each in (worked, filled))
    found = store.client.get(filled)
    assert copy.keys() == real.keys()
    assert [name for name in real if len(real[name]) != len(copy[name])] == []
    assert found is not None
    assert found.result == {"verification_id": filled, **ANSWER}
    assert store.redis.pttl(store.keys.row(filled)) > 0


def test_filled_rows_are_listed_and_counted_and_have_events(store: Store) -> None:
    store.fill(700)

    ids = {event.verification_id for event in store.client.events("all")}
    assert store.client.counts()[State.DONE] == 700
    assert len({each.id for each in store.client.newest(State.DONE, 700)}) == 700
    assert len(ids) == 700


def test_a_backlog_becomes_due_at_once_and_is_woken(store: Store) -> None:
    store.submit(300)

    assert store.make_due() == 300
    store.parts.sweep.once()
    assert store.redis.zcount(store.keys.due, "-inf", store.redis.time()[0] * 1000) == 0
