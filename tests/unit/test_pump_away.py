"""A thread that waits for the pump may be called away by a signal; its run is not left behind."""

import signal
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from satyapan.asking import Ask
from satyapan.names import RUN
from tests.unit.test_pump import Store, Vendor, names, pump
from worker.answer import Answer
from worker.pump import CalledAway


class Away(BaseException):
    """What a signal raises in the thread that waits, as a pool's time limit does."""


def test_who_is_called_away_from_waiting_leaves_its_run_to_another_thread() -> None:
    vendor, left = Vendor(), threading.Event()

    class Slow(Store):
        def ask_all(self, asks: Sequence[Ask[Any]]) -> list[Any]:
            for _ in range(200):  # one that comes just before the thread blocks is not noticed
                if left.is_set():
                    break
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                left.wait(0.1)
            return super().ask_all(asks)

    def leave(*_: object) -> None:
        left.set()
        raise Away

    running = pump(vendor, Slow(), calls=1)
    before = signal.signal(signal.SIGUSR1, leave)
    try:
        with pytest.raises(Away):
            running.run("v-0")
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert running.run("v-1") is not None
    assert vendor.order == ["v-0", "v-1"]


@pytest.mark.parametrize("together", [1, 2])
def test_an_errand_that_ends_its_thread_ends_its_run_and_not_the_process(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pump._HOLD_S", 60.0)

    class Ending(Vendor):
        def call(self, name: str) -> Answer:
            if name == "v-0":
                raise Away
            return super().call(name)

    vendor = Ending()
    running = pump(vendor, calls=together)

    with pytest.raises(Away if together == 1 else CalledAway):
        running.run_all(names(together), RUN)

    vendor.order.clear()
    running.run_all(["w-0", "w-1"][:together], RUN)
    assert sorted(vendor.order) == ["w-0", "w-1"][:together]
