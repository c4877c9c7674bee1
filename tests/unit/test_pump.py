"""The pump: runs go together, and none gets in another's way. Threads are real, Redis is not."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis

from satyapan.asking import Ask
from satyapan.records import Row
from worker.answer import Answer, Outcome
from worker.engine import Steps, VendorCall
from worker.pump import Pump
from worker.rules.model import Event

GOOD = Answer(outcome=Outcome.OK)


class Vendor:
    """Takes its time, and remembers how many called at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.order: list[str] = []

    def call(self, name: str) -> Answer:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.order.append(name)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        return GOOD


class Store:
    """Answers each step with its first key; remembers the size of each round trip."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def ask_all(self, asks: Sequence[Ask[Any]]) -> list[Any]:
        self.sizes.append(len(asks))
        return [redis.ResponseError() if "bad" in ask.keys[0] else ask.keys[0] for ask in asks]


def step(name: str) -> Ask[str]:
    def script(*, keys: list[str], args: list[Any]) -> Any:
        raise AssertionError("only the pump's own round trips are used")

    script.sha = name  # type: ignore[attr-defined] # what a redis-py script has
    return Ask(script, [name], [], str)  # type: ignore[arg-type] # as above


def pump(vendor: Vendor, store: Store, calls: int, patience_s: float = 10.0) -> Pump:
    def begin(verification_id: str, event: Event | None = None) -> Steps:
        assert (yield step(verification_id)) == verification_id
        assert (yield VendorCall(lambda: vendor.call(verification_id))) is GOOD
        yield step(f"{verification_id}/end")
        return Row(id=verification_id, kind="passport")

    return Pump(begin, store.ask_all, calls=calls, patience_s=patience_s)


def names(count: int) -> list[str]:
    return [f"v-{number}" for number in range(count)]


def test_a_chunk_is_called_concurrently_but_never_beyond_the_setting() -> None:
    vendor = Vendor(0.01)

    pump(vendor, Store(), calls=4).run_all(names(20))

    assert vendor.most == 4
    assert sorted(vendor.order) == sorted(names(20))


def test_tasks_at_the_same_time_share_the_same_calls() -> None:
    vendor = Vendor(0.01)
    shared = pump(vendor, Store(), calls=3)
    tasks = [threading.Thread(target=shared.run_all, args=[names(9)]) for _ in range(3)]

    for task in tasks:
        task.start()
    for task in tasks:
        task.join(10)

    assert vendor.most == 3
    assert len(vendor.order) == 27


def test_what_is_asked_at_the_same_time_goes_in_one_round_trip() -> None:
    store = Store()

    pump(Vendor(), store, calls=10).run_all(names(10))

    assert store.sizes[0] == 10
    assert sum(store.sizes) == 20


def test_a_failed_step_ends_its_own_run_only() -> None:
    vendor = Vendor()
    running = pump(vendor, Store(), calls=2)

    running.run_all(["v-1", "bad", "v-2"])

    assert sorted(vendor.order) == ["v-1", "v-2"]
    with pytest.raises(redis.ResponseError):
        running.run("bad")
    assert running.run("v-3") == Row(id="v-3", kind="passport")


def test_a_single_one_does_not_wait_behind_a_chunk() -> None:
    vendor = Vendor(0.02)
    running = pump(vendor, Store(), calls=1)
    chunk = threading.Thread(target=running.run_all, args=[names(30)])
    chunk.start()

    running.run("single")

    assert vendor.order.index("single") < 10
    chunk.join(10)


def test_what_can_not_begin_in_time_is_left_and_the_task_ends() -> None:
    vendor = Vendor(0.1)

    pump(vendor, Store(), calls=1, patience_s=0.15).run_all(names(50))

    assert 0 < len(vendor.order) < 5


@pytest.fixture(autouse=True)
def no_thread_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    yield
    assert not failed
