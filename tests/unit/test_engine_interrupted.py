"""An interrupted thread, or a call that raises an unusual exception, leaves no run behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from satyapan.names import RUN
from tests.unit.test_engine import Vendor, engine, ids
from worker.rules.answer import Answer


class Interrupted(BaseException):
    """Raised by a signal in a waiting thread, as by a pool's time limit."""


def test_the_run_of_an_interrupted_thread_continues_in_the_loop() -> None:
    vendor, calling = Vendor(), threading.Event()
    vendor.may_answer.clear()
    called = vendor.call

    def call(name: str) -> Answer:
        calling.set()
        return called(name)

    vendor.call = call  # type: ignore[method-assign] # reports that the call has begun
    running = engine(vendor, calls=1)

    with pytest.raises(Interrupted), interrupting(calling):
        running.run("v-0")
    vendor.may_answer.set()

    assert running.run("v-1") is not None
    assert vendor.order == ["v-0", "v-1"]


@contextmanager
def interrupting(calling: threading.Event) -> Iterator[None]:
    """Raise Interrupted in the main thread, soon after the call has begun."""

    def raise_interrupted(*_: object) -> None:
        raise Interrupted

    def interrupt() -> None:
        assert calling.wait(20)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, raise_interrupted)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        yield
    finally:
        interrupter.join(20)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("error", [Interrupted(), SystemExit(), StopIteration()])
def test_a_call_that_raises_an_unusual_exception_ends_only_its_own_run(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.engine._HOLD_S", 60.0)

    class Failing(Vendor):
        def call(self, name: str) -> Answer:
            if name == "v-0":
                raise error
            return super().call(name)

    vendor = Failing()
    running = engine(vendor, calls=2)

    with pytest.raises(RuntimeError, match=type(error).__name__):
        running.run_all(ids(2), RUN)

    vendor.order.clear()
    running.run_all(["w-0", "w-1"], RUN)
    assert sorted(vendor.order) == ["w-0", "w-1"]
