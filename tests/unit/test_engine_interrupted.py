"""A thread that is interrupted, or a call that raises oddly, leaves no run behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from satyapan.names import RUN
from tests.unit.test_engine import Vendor, engine, names
from worker.rules.answer import Answer


class Away(BaseException):
    """What a signal raises in a thread that waits, as a pool's time limit does."""


def test_a_thread_that_is_interrupted_while_it_waits_leaves_its_run_to_the_loop() -> None:
    vendor, calling = Vendor(), threading.Event()
    vendor.may_answer.clear()
    called = vendor.call

    def call(name: str) -> Answer:
        calling.set()
        return called(name)

    vendor.call = call  # type: ignore[method-assign] # says that the call has begun
    running = engine(vendor, calls=1)

    with pytest.raises(Away), interrupting(calling):
        running.run("v-0")
    vendor.may_answer.set()

    assert running.run("v-1") is not None
    assert vendor.order == ["v-0", "v-1"]


@contextmanager
def interrupting(calling: threading.Event) -> Iterator[None]:
    """Raise Away in the main thread, some time after the call has begun."""

    def leave(*_: object) -> None:
        raise Away

    def interrupt() -> None:
        assert calling.wait(20)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, leave)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        yield
    finally:
        interrupter.join(20)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("error", [Away(), SystemExit(), StopIteration()])
def test_a_call_that_raises_what_no_call_should_ends_its_own_run_only(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.engine._HOLD_S", 60.0)

    class Ending(Vendor):
        def call(self, name: str) -> Answer:
            if name == "v-0":
                raise error
            return super().call(name)

    vendor = Ending()
    running = engine(vendor, calls=2)

    with pytest.raises(RuntimeError, match=type(error).__name__):
        running.run_all(names(2), RUN)

    vendor.order.clear()
    running.run_all(["w-0", "w-1"], RUN)
    assert sorted(vendor.order) == ["w-0", "w-1"]
