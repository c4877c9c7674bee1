"""A stop begun by a signal handler doesn't wait for the interrupted code and isn't lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from worker.shutdown import Shutdown


@contextmanager
def handling(shutdown: Shutdown) -> Iterator[None]:
    """Let SIGUSR1 begin the stop, as Celery's handler of SIGTERM does."""
    before = signal.signal(signal.SIGUSR1, lambda *_: shutdown.begin())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.timeout(10)
def test_a_signal_that_interrupts_the_holder_of_a_lock_begins_the_stop() -> None:
    lock, stopped = threading.Lock(), list[str]()

    def stop() -> None:
        with lock:
            stopped.append(threading.current_thread().name)

    shutdown = Shutdown(stop)
    shutdown.start()
    with handling(shutdown), lock:
        signal.raise_signal(signal.SIGUSR1)
    shutdown.end()

    assert stopped == ["shutdown"]


def test_a_second_signal_does_not_stop_again() -> None:
    stopped = list[bool]()
    shutdown = Shutdown(lambda: stopped.append(True))
    shutdown.start()
    with handling(shutdown):
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    shutdown.end()

    assert stopped == [True]


def test_an_end_without_a_signal_stops_nothing() -> None:
    stopped = list[bool]()
    shutdown = Shutdown(lambda: stopped.append(True))
    shutdown.start()
    shutdown.end()

    assert not stopped


def test_a_worker_that_was_never_ready_ends_at_once() -> None:
    Shutdown(lambda: None).end()
