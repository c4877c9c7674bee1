"""The engine: runs go together, none delays another. Loop and threads are real, Redis is not."""

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
    """Answers so many calls together, none before it may, and remembers how many called at once."""

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
    """Answers each step with its first key; remembers the size of each round trip."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.away = False

    def call_all(self, asks: Sequence[ScriptCall[Any]]) -> list[Any]:
        self.sizes.append(len(asks))
        if self.away:
            return [redis.ConnectionError()] * len(asks)
        return [redis.ResponseError() if "bad" in ask.keys[0] else ask.keys[0] for ask in asks]


def step(name: str) -> ScriptCall[str]:
    def script(*, keys: list[str], args: list[Any]) -> Any:
        raise AssertionError("only the batch's round trips are used")

    script.sha = name  # type: ignore[attr-defined] # what a redis-py script has
    return ScriptCall(script, [name], [], str)  # type: ignore[arg-type] # as above


class Queue:
    """Takes what is handed back; may be away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.handed: list[list[str]] = []

    def hand_back(self, task: str, ids: Sequence[str]) -> bool:
        assert task == RUN
        self.handed.append(list(ids))
        return not self.away


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
    return Engine(run, nothing_else, hand_back, list, calls=calls, patience_s=patience_s)


async def nothing_else() -> None:
    """Run beside the others for ever, as the renewal of leases does."""
    await asyncio.Event().wait()


def names(count: int) -> list[str]:
    return [f"v-{number}" for number in range(count)]


def in_threads(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_a_message_is_called_at_once_as_far_as_there_are_calls() -> None:
    vendor, queue = Vendor(8), Queue()

    engine(vendor, calls=8, queue=queue).run_all(names(8), RUN)

    assert vendor.most == 8
    assert queue.handed == []


def test_what_can_not_be_called_at_once_is_handed_back_in_halves() -> None:
    vendor, queue = Vendor(), Queue()

    engine(vendor, calls=4, queue=queue).run_all(names(20), RUN)

    assert queue.handed == [names(20)[10:], names(20)[5:10], names(20)[2:5]]
    assert sorted(vendor.order) == names(20)[:2]


@pytest.mark.usefixtures("patient")
def test_with_the_queue_away_all_are_called_but_never_beyond_the_setting() -> None:
    vendor = Vendor(4)

    engine(vendor, calls=4, queue=Queue(away=True)).run_all(names(20), RUN)

    assert vendor.most == 4
    assert sorted(vendor.order) == sorted(names(20))


@pytest.mark.usefixtures("patient")
def test_tasks_at_the_same_time_share_the_same_calls() -> None:
    vendor = Vendor(3)
    shared = engine(vendor, calls=3)

    in_threads([lambda: shared.run_all(names(3), RUN)] * 9)

    assert vendor.most == 3
    assert len(vendor.order) == 27


def test_what_is_asked_at_the_same_time_goes_in_one_round_trip() -> None:
    store = Store()

    engine(Vendor(), store, calls=10).run_all(names(10), RUN)

    assert store.sizes[0] == 10
    assert sum(store.sizes) == 20


def test_a_failed_step_ends_its_own_run_only() -> None:
    vendor = Vendor()
    running = engine(vendor, calls=3)

    running.run_all(["v-1", "bad", "v-2"], RUN)

    assert sorted(vendor.order) == ["v-1", "v-2"]
    with pytest.raises(redis.ResponseError):
        running.run("bad")
    assert running.run("v-3") == Row(id="v-3", kind="passport")


def test_with_redis_away_all_fail_alike_and_the_next_go_on() -> None:
    vendor, store = Vendor(), Store()
    running = engine(vendor, store, calls=4)
    store.away = True

    running.run_all(names(4), RUN)
    with pytest.raises(redis.ConnectionError):
        running.run("v-4")
    store.away = False

    assert vendor.order == []
    running.run_all(names(4), RUN)
    assert sorted(vendor.order) == names(4)


def test_a_fault_of_our_own_ends_its_run_and_is_raised_when_the_others_are_over() -> None:
    vendor = Vendor(3)
    called = vendor.call

    def call(name: str) -> Answer:
        if name == "v-1":
            raise ZeroDivisionError
        return called(name)

    vendor.call = call  # type: ignore[method-assign] # one call goes wrong
    running = engine(vendor, calls=4)

    with pytest.raises(ZeroDivisionError):
        running.run_all(names(4), RUN)

    assert sorted(vendor.order) == ["v-0", "v-2", "v-3"]
    vendor.may_call_alone()
    assert running.run("v-4") is not None


@pytest.mark.usefixtures("patient")
def test_a_thread_that_can_not_be_started_ends_its_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
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
        running.run_all(names(4), RUN)

    assert sorted(vendor.order) == ["v-1", "v-2", "v-3"]
    running.run_all(names(2), RUN)
    assert len(vendor.order) == 5


def test_a_single_one_does_not_wait_behind_many() -> None:
    vendor = Vendor()
    vendor.may_answer.clear()
    running = engine(vendor, calls=1, queue=Queue(away=True))
    many = threading.Thread(target=running.run_all, args=[names(30), RUN])
    single = threading.Thread(target=running.run, args=["single"])
    many.start()
    eventually(lambda: vendor.order)
    single.start()
    eventually(lambda: len(running._scheduler._patience) == 2)

    vendor.may_answer.set()
    single.join(20)
    many.join(20)

    assert vendor.order.index("single") < 10


def test_who_waits_too_long_for_a_free_call_is_handed_back_whatever_the_calls_do() -> None:
    let_go, stuck_now, queue = threading.Event(), threading.Semaphore(0), Queue()
    vendor = Vendor()
    called = vendor.call

    def stuck(name: str) -> Answer:
        stuck_now.release()
        let_go.wait(20)
        return called(name)

    vendor.call = stuck  # type: ignore[method-assign] # a vendor that doesn't answer
    running = engine(vendor, calls=2, patience_s=0.2, queue=queue)
    busy = threading.Thread(target=running.run_all, args=[["v-0", "v-1"], RUN])
    busy.start()
    assert all(stuck_now.acquire(timeout=10) for _ in range(2))

    in_threads([lambda: running.run_all(["v-2", "v-3"], RUN), lambda: running.run("v-4")])

    assert vendor.order == []
    assert queue.handed == [["v-2", "v-3"]]
    let_go.set()
    busy.join(20)
    assert sorted(vendor.order) == ["v-0", "v-1"]


@pytest.mark.usefixtures("patient")
def test_there_is_no_room_while_as_many_wait_as_can_be_called_and_who_asked_is_told_after() -> None:
    let_go, under_way, roomy = threading.Event(), threading.Semaphore(0), threading.Event()

    class Slow(Vendor):
        def call(self, name: str) -> Answer:
            under_way.release()
            let_go.wait(20)
            return super().call(name)

    running = engine(Slow(), calls=2, queue=Queue(away=True))
    running.room.on_room = roomy.set
    assert running.room.there_is()
    busy = [threading.Thread(target=running.run_all, args=[names(2), RUN]) for _ in range(2)]
    for thread in busy:
        thread.start()
    assert all(under_way.acquire(timeout=10) for _ in range(2))

    eventually(lambda: not running.room.there_is())
    let_go.set()

    assert roomy.wait(20)
    for thread in busy:
        thread.join(20)
    assert running.room.there_is()


@pytest.mark.usefixtures("patient")
def test_who_is_told_to_stop_ends_what_is_under_way_and_hands_the_rest_back() -> None:
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
    assert queue.handed == [["v-1"], ["v-2"]]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be handed back because a machine is slow."""
    monkeypatch.setattr("worker.engine.engine._HOLD_S", 60.0)


@pytest.fixture(autouse=True)
def no_thread_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    yield
    assert not failed


@pytest.mark.parametrize("fails", [False, True])
def test_a_message_of_which_nothing_is_left_makes_room_again(fails: bool) -> None:
    def sort(_ids: Sequence[str]) -> Sequence[str]:
        if fails:
            raise ValueError("not foreseen")
        return []

    async def never(verification_id: str, event: Event | None = None) -> Row | None:
        raise AssertionError("nothing is left to run")

    running = Engine(never, nothing_else, Queue().hand_back, sort, calls=2, patience_s=1)
    for _ in range(3):
        with suppress(ValueError):
            running.run_all(names(50), RUN)

    assert running.room.there_is()


def test_a_run_that_waits_goes_on_later_and_holds_up_no_other() -> None:
    order, other_ended = list[str](), asyncio.Event()

    async def run(verification_id: str, event: Event | None = None) -> Row | None:
        if verification_id == "v-0":
            await other_ended.wait()
        else:
            other_ended.set()
        order.append(f"{verification_id} ends")
        return None

    Engine(run, nothing_else, Queue().hand_back, list, calls=2, patience_s=10).run_all(
        names(2), RUN
    )

    assert order == ["v-1 ends", "v-0 ends"]


def test_a_stop_before_anything_ran_is_kept() -> None:
    vendor, queue = Vendor(), Queue()
    running = engine(vendor, calls=2, queue=queue)

    running.stop()
    running.run_all(names(2), RUN)

    assert vendor.order == []
    assert queue.handed == [names(2)]
