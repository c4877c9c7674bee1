"""Calls of many threads share round trips; the connection is a fake."""

import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import ResponseError

from satyapan.redis import shared_calls
from satyapan.redis.shared_calls import SharedCalls
from tests.support.eventually import eventually


class Interrupted(BaseException):
    """Raised by a time limit in the running code."""


def raise_interrupted(*_: object) -> None:
    raise Interrupted


class Connection:
    """A fake connection: returns each call as its own reply, after `may_go`."""

    def __init__(self) -> None:
        self.trips: list[list[Any]] = []
        self.closed = 0
        self.broken = False
        self.may_go = threading.Event()
        self.may_go.set()
        self.under_way = threading.Event()

    def call_all(self, calls: Sequence[Any]) -> list[Any]:
        self.under_way.set()
        assert self.may_go.wait(60)
        self.trips.append(list(calls))
        return [Broken("away")] * len(calls) if self.broken else list(calls)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    fake = Connection()
    monkeypatch.setattr(shared_calls, "BatchConnection", lambda _: fake)
    yield fake
    fake.may_go.set()


@pytest.fixture
def shared(connection: Connection) -> Any:
    return SharedCalls(None)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as running:
        yield running


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def waiting_calls(shared: Any) -> int:
    return len(shared._group()._waiting)


def start_all(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor, calls: Sequence[Any]
) -> list[Future[Any]]:
    """Start the calls: the first is under way, and the others wait behind it."""
    connection.may_go.clear()
    connection.under_way.clear()
    futures = [pool.submit(shared.call, calls[0])]
    assert connection.under_way.wait(60)
    futures += [pool.submit(shared.call, call) for call in calls[1:]]
    eventually(lambda: waiting_calls(shared) == len(calls) - 1)
    return futures


def test_a_single_call_is_sent_at_once(shared: Any, connection: Connection) -> None:
    assert [shared.call(call) for call in "abc"] == ["a", "b", "c"]
    assert connection.trips == [["a"], ["b"], ["c"]]


def test_calls_that_arrive_during_a_round_trip_share_the_next(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    wrong = ResponseError("of this call alone")
    calls = ["first", "a", wrong, "b"]

    futures = start_all(shared, connection, pool, calls)
    connection.may_go.set()

    assert [future.result(60) for future in futures] == calls
    assert [len(trip) for trip in connection.trips] == [1, 3]


def test_a_round_trip_is_bounded(
    shared: Any,
    connection: Connection,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_calls, "_MOST", 4)

    futures = start_all(shared, connection, pool, list("abcdefghijk"))
    connection.may_go.set()

    assert [future.result(60) for future in futures] == list("abcdefghijk")
    assert [len(trip) for trip in connection.trips] == [1, 4, 4, 2]


def test_a_broken_connection_fails_every_call_of_its_round_trip_and_no_later_one(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    futures = start_all(shared, connection, pool, ["first", "a", "b"])
    connection.broken = True
    connection.may_go.set()
    assert all(isinstance(future.result(60), Broken) for future in futures)

    connection.broken = False
    assert shared.call("later") == "later"


def test_when_the_leader_is_interrupted_the_other_calls_are_answered(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    connection.may_go.clear()
    connection.under_way.clear()

    def join() -> list[Future[Any]]:
        assert connection.under_way.wait(60)
        return [pool.submit(shared.call, call) for call in "abc"]

    joined = pool.submit(join)
    with pytest.raises(Interrupted), interrupted_after(0.5):
        shared.call("interrupted")
    connection.may_go.set()

    assert [future.result(60) for future in joined.result(60)] == list("abc")
    assert shared.call("later") == "later"


def test_a_waiting_call_that_is_interrupted_is_not_sent(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    (future,) = start_all(shared, connection, pool, ["first"])
    with pytest.raises(Interrupted), interrupted_after(0.2):
        shared.call("interrupted")
    connection.may_go.set()

    assert future.result(60) == "first"
    assert shared.call("later") == "later"
    assert connection.trips == [["first"], ["later"]]


def test_a_connection_in_use_is_not_closed(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    (future,) = start_all(shared, connection, pool, ["first"])
    shared.close()
    closed_meanwhile = connection.closed
    connection.may_go.set()
    future.result(60)
    shared.close()

    assert (closed_meanwhile, connection.closed) == (0, 1)


def test_each_thread_gets_the_reply_to_its_own_call(
    shared: Any, connection: Connection, pool: ThreadPoolExecutor
) -> None:
    calls = [f"call-{number}" for number in range(3000)]

    assert list(pool.map(shared.call, calls)) == calls
    assert sorted(call for trip in connection.trips for call in trip) == sorted(calls)


@pytest.mark.timeout(60)
def test_a_call_within_a_call_of_the_same_thread_is_sent_alone(
    shared: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_calls, "call_all", lambda _, calls: [f"alone {calls[0]}"])
    inner: list[Any] = []

    def handle(*_: object) -> None:
        inner.append(shared.call("inner"))
        connection.may_go.set()

    connection.may_go.clear()
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        assert shared.call("outer") == "outer"
    finally:
        signal.signal(signal.SIGALRM, before)

    assert inner == ["alone inner"]
    assert connection.trips == [["outer"]]


def test_a_connection_whose_leader_never_passed_the_lead_on_is_replaced(
    shared: Any,
    connection: Connection,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_calls, "_STUCK_S", 0.2)
    with monkeypatch.context() as patched:
        patched.setattr(type(shared._group()), "_leave", raise_interrupted)
        with pytest.raises(Interrupted):
            shared.call("leads for ever")

    assert isinstance(pool.submit(shared.call, "stuck").result(60), Broken)
    assert pool.submit(shared.call, "later").result(60) == "later"
