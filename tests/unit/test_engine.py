"""The engine with a real loop and real threads, but a fake Redis, vendor and queue."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import redis

from satyapan.names import RUN
from satyapan.records import Row
from satyapan.redis.script_calls import ScriptCall
from tests.support.eventually import eventually
from worker.engine.blocking_calls import BlockingCalls
from worker.engine.engine import Engine
from worker.engine.redis_batch import RedisBatch
from worker.rules.answer import Answer, Outcome
from worker.rules.model import Event

GOOD = Answer(outcome=Outcome.OK)


class Vendor:
    """A fake vendor whose calls return `together` at a time, and not before `may_answer`."""

    def __init__(self, together: int = 1) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._all_here = threading.Barrier(together, timeout=20)
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.order: list[str] = []

    def may_call_alone(self) -> None:
        self._all_here = threading.Barrier(1)

    def call(self, name: str) -> Answer:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.order.append(name)
        assert self.may_answer.wait(20)
        self._all_here.wait()
        with self._lock:
            self._now -= 1
        return GOOD


class Store:
    """A fake Redis: returns the first key of each call, and records each round trip's size."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.unreachable = False

    def call_all(self, calls: Sequence[ScriptCall[Any]]) -> list[Any]:
        self.sizes.append(len(calls))
        if self.unreachable:
            return [redis.ConnectionError()] * len(calls)
        return [redis.ResponseError() if "bad" in call.keys[0] else call.keys[0] for call in calls]


def step(name: str) -> ScriptCall[str]:
    def script(*, keys: list[str], args: list[Any]) -> Any:
        raise AssertionError("only the batch's round trips are used")

    script.sha = name  # type: ignore[attr-defined] # as in a redis-py script
    return ScriptCall(script, [name], [], str)  # type: ignore[arg-type] # as above


class Queue:
    """A fake queue: records ids that are handed back, and may be unreachable."""

    def __init__(self, *, unreachable: bool = False) -> None:
        self.unreachable = unreachable
        self.handed_back: list[list[str]] = []

    def hand_back(self, task: str, ids: Sequence[str]) -> bool:
        assert task == RUN
        self.handed_back.append(list(ids))
        return not self.unreachable


def engine(
    vendor: Vendor,
    store: Store | None = None,
    *,
    calls: int,
    patience_s: float = 10.0,
    queue: Queue | None = None,
) -> Engine:
    redis_, threads = RedisBatch((store or Store()).call_all), BlockingCalls(calls)

    async def run(verification_id: str, event: Event | None = None) -> Row | None:
        assert await redis_.call(step(verification_id)) == verification_id
        assert await threads.run(partial(vendor.call, verification_id)) is GOOD
        await redis_.call(step(f"{verification_id}/end"))
        return Row(id=verification_id, kind="passport")

    hand_back = (queue or Queue()).hand_back
    return Engine(run, idle, hand_back, list, calls=calls, patience_s=patience_s)


async def idle() -> None:
    """Run for ever, as the renewal of leases does."""
    await asyncio.Event().wait()


def ids(count: int) -> list[str]:
    return [f"v-{number}" for number in range(count)]


def run_in_threads(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_all_ids_of_a_message_are_called_at_once_up_to_the_limit() -> None:
    vendor, queue = Vendor(8), Queue()

    engine(vendor, calls=8, queue=queue).run_all(ids(8), RUN)

    assert vendor.most == 8
    assert queue.handed_back == []


def test_ids_beyond_the_limit_are_handed_back_in_halves() -> None:
    vendor, queue = Vendor(), Queue()

    engine(vendor, calls=4, queue=queue).run_all(ids(20), RUN)

    assert queue.handed_back == [ids(20)[10:], ids(20)[5:10], ids(20)[2:5]]
    assert sorted(vendor.order) == ids(20)[:2]


@pytest.mark.usefixtures("no_hold_limit")
def test_all_ids_are_called_within_the_limit_if_the_queue_is_unreachable() -> None:
    vendor = Vendor(4)

    engine(vendor, calls=4, queue=Queue(unreachable=True)).run_all(ids(20), RUN)

    assert vendor.most == 4
    assert sorted(vendor.order) == sorted(ids(20))


@pytest.mark.usefixtures("no_hold_limit")
def test_concurrent_tasks_share_the_limit() -> None:
    vendor = Vendor(3)
    shared = engine(vendor, calls=3)

    run_in_threads([lambda: shared.run_all(ids(3), RUN)] * 9)

    assert vendor.most == 3
    assert len(vendor.order) == 27


def test_simultaneous_redis_calls_share_a_round_trip() -> None:
    store = Store()

    engine(Vendor(), store, calls=10).run_all(ids(10), RUN)

    assert store.sizes[0] == 10
    assert sum(store.sizes) == 20


def test_a_failed_redis_call_ends_only_its_own_run() -> None:
    vendor = Vendor()
    running = engine(vendor, calls=3)

    running.run_all(["v-1", "bad", "v-2"], RUN)

    assert sorted(vendor.order) == ["v-1", "v-2"]
    with pytest.raises(redis.ResponseError):
        running.run("bad")
    assert running.run("v-3") == Row(id="v-3", kind="passport")


def test_runs_fail_while_redis_is_unreachable_and_later_runs_succeed() -> None:
    vendor, store = Vendor(), Store()
    running = engine(vendor, store, calls=4)
    store.unreachable = True

    running.run_all(ids(4), RUN)
    with pytest.raises(redis.ConnectionError):
        running.run("v-4")
    store.unreachable = False

    assert vendor.order == []
    running.run_all(ids(4), RUN)
    assert sorted(vendor.order) == ids(4)


def test_an_unexpected_error_ends_its_run_and_is_raised_after_the_others_ended() -> None:
    vendor = Vendor(3)
    called = vendor.call

    def call(name: str) -> Answer:
        if name == "v-1":
            raise ZeroDivisionError
        return called(name)

    vendor.call = call  # type: ignore[method-assign] # one call fails
    running = engine(vendor, calls=4)

    with pytest.raises(ZeroDivisionError):
        running.run_all(ids(4), RUN)

    assert sorted(vendor.order) == ["v-0", "v-2", "v-3"]
    vendor.may_call_alone()
    assert running.run("v-4") is not None


@pytest.mark.usefixtures("no_hold_limit")
def test_a_call_whose_thread_cannot_start_ends_only_its_own_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vendor = Vendor()
    running = engine(vendor, calls=4)
    start, refused = threading.Thread.start, ["blocking-call"]

    def refusing(thread: threading.Thread) -> None:
        if thread.name in refused:
            refused.remove(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)

    with pytest.raises(RuntimeError):
        running.run_all(ids(4), RUN)

    assert sorted(vendor.order) == ["v-1", "v-2", "v-3"]
    running.run_all(ids(2), RUN)
    assert len(vendor.order) == 5


def test_a_single_run_does_not_wait_behind_a_large_message() -> None:
    vendor = Vendor()
    vendor.may_answer.clear()
    running = engine(vendor, calls=1, queue=Queue(unreachable=True))
    many = threading.Thread(target=running.run_all, args=[ids(30), RUN])
    single = threading.Thread(target=running.run, args=["single"])
    many.start()
    eventually(lambda: vendor.order)
    single.start()
    eventually(lambda: len(running._scheduler._patience) == 2)

    vendor.may_answer.set()
    single.join(20)
    many.join(20)

    assert vendor.order.index("single") < 10


def test_ids_that_wait_too_long_for_a_free_call_are_handed_back() -> None:
    may_return, stuck_calls, queue = threading.Event(), threading.Semaphore(0), Queue()
    vendor = Vendor()
    called = vendor.call

    def hang(name: str) -> Answer:
        stuck_calls.release()
        may_return.wait(20)
        return called(name)

    vendor.call = hang  # type: ignore[method-assign] # a vendor that doesn't answer
    running = engine(vendor, calls=2, patience_s=0.2, queue=queue)
    busy = threading.Thread(target=running.run_all, args=[["v-0", "v-1"], RUN])
    busy.start()
    assert all(stuck_calls.acquire(timeout=10) for _ in range(2))

    run_in_threads([lambda: running.run_all(["v-2", "v-3"], RUN), lambda: running.run("v-4")])

    assert vendor.order == []
    assert queue.handed_back == [["v-2", "v-3"]]
    may_return.set()
    busy.join(20)
    assert sorted(vendor.order) == ["v-0", "v-1"]


@pytest.mark.usefixtures("no_hold_limit")
def test_room_ends_while_as_many_ids_wait_as_calls_are_allowed_and_is_announced_again() -> None:
    may_return, under_way, announced = threading.Event(), threading.Semaphore(0), threading.Event()

    class Slow(Vendor):
        def call(self, name: str) -> Answer:
            under_way.release()
            may_return.wait(20)
            return super().call(name)

    running = engine(Slow(), calls=2, queue=Queue(unreachable=True))
    running.room.on_room = announced.set
    assert running.room.there_is()
    busy = [threading.Thread(target=running.run_all, args=[ids(2), RUN]) for _ in range(2)]
    for thread in busy:
        thread.start()
    assert all(under_way.acquire(timeout=10) for _ in range(2))

    eventually(lambda: not running.room.there_is())
    may_return.set()

    assert announced.wait(20)
    for thread in busy:
        thread.join(20)
    assert running.room.there_is()


@pytest.mark.usefixtures("no_hold_limit")
def test_a_stop_finishes_running_calls_and_hands_the_rest_back() -> None:
    vendor, queue = Vendor(), Queue()
    vendor.may_answer.clear()
    running = engine(vendor, calls=1, queue=queue)
    first = threading.Thread(target=running.run_all, args=[["v-0"], RUN])
    first.start()
    eventually(lambda: vendor.order)

    second = threading.Thread(target=running.run_all, args=[["v-1"], RUN])
    second.start()
    eventually(
        lambda: len(running._scheduler._patience) == 1 and running._scheduler._slots.locked()
    )
    running.stop()
    second.join(20)
    running.run_all(["v-2"], RUN)
    vendor.may_answer.set()
    first.join(20)

    assert vendor.order == ["v-0"]
    assert queue.handed_back == [["v-1"], ["v-2"]]


@pytest.fixture
def no_hold_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a slow machine from handing ids back."""
    monkeypatch.setattr("worker.engine.engine._HOLD_S", 60.0)


@pytest.fixture(autouse=True)
def no_thread_raises(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    yield
    assert not failed


@pytest.mark.parametrize("fails", [False, True])
def test_a_message_without_ids_to_run_frees_its_room(fails: bool) -> None:
    def sort(_ids: Sequence[str]) -> Sequence[str]:
        if fails:
            raise ValueError("unexpected")
        return []

    async def never(verification_id: str, event: Event | None = None) -> Row | None:
        raise AssertionError("nothing is left to run")

    running = Engine(never, idle, Queue().hand_back, sort, calls=2, patience_s=1)
    for _ in range(3):
        with suppress(ValueError):
            running.run_all(ids(50), RUN)

    assert running.room.there_is()


def test_a_waiting_run_does_not_block_the_others() -> None:
    order, other_ended = list[str](), asyncio.Event()

    async def run(verification_id: str, event: Event | None = None) -> Row | None:
        if verification_id == "v-0":
            await other_ended.wait()
        else:
            other_ended.set()
        order.append(f"{verification_id} ends")
        return None

    Engine(run, idle, Queue().hand_back, list, calls=2, patience_s=10).run_all(ids(2), RUN)

    assert order == ["v-1 ends", "v-0 ends"]


def test_a_stop_before_the_first_run_stays_in_force() -> None:
    vendor, queue = Vendor(), Queue()
    running = engine(vendor, calls=2, queue=queue)

    running.stop()
    running.run_all(ids(2), RUN)

    assert vendor.order == []
    assert queue.handed_back == [ids(2)]
