"""Publish wake-ups in the background, many ids in one message.

A thread that submits hands its ids over and returns. One daemon thread publishes what has gathered
while it was publishing: under load a message brings many ids and costs them once, and nothing waits
while nothing else is under way. A process that dies before its thread has published loses nothing:
the rows are due, and the sweeper wakes them.

Knows task names and ids; knows nothing of rows.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache, partial
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary, finalize

from satyapan.names import RUN_HIGH

Wake = Callable[[str, Sequence[str]], bool]
"""Publish one message for some ids; return False if that was not confirmed."""


class MessageSender(Protocol):
    """Publishes messages for one thread."""

    def wake(self, task_name: str, ids: Sequence[str]) -> bool:
        """Publish one message for some ids; return False if that was not confirmed."""
        ...

    def close(self) -> None:
        """Close its connection."""
        ...


_MOST: Final = 10_000
"""Ids that wait to be published, in one process."""
_BUSY_S: Final = 0.005
"""Under load: the last message was published less than so long ago."""
_GATHER_S: Final = 0.002
"""How long a message waits under load for more ids."""
_IDLE_S: Final = 10.0
"""After so long with nothing to publish the thread ends; the next id starts another."""
_FORK_S: Final = 1.0
"""How long a fork waits for a message that is being published."""
_OFF: Final = frozenset({"", "0", "false", "no", "off"})

log = logging.getLogger(__name__)


class Publisher:
    """Publishes the wake-ups of a process; threads may share it, and a fork may inherit it.

    A forked process has a thread of its own, and leaves to its parent what the parent has gathered.
    Once the publisher is dropped, its thread ends as soon as it has published what waits.

    Args:
        connect: makes what publishes for one thread, with a connection of its own.
        inline: publishes a message in any thread, where none can be started.
        chunk: the most ids in one message.
        patience_s: the most that `close`, or the end of the process, waits for messages.
    """

    def __init__(
        self,
        connect: Callable[[], MessageSender],
        inline: Wake,
        chunk: int,
        patience_s: float,
    ) -> None:
        self._make_outbox = partial(_Outbox, connect, chunk, patience_s)
        self._inline = inline
        self._chunk = chunk
        # By process: after a fork the parent's locks may be held by threads that don't exist here.
        self._outboxes: dict[int, _Outbox] = {}
        finalize(self, _end_thread, self._outboxes).atexit = False
        _process.register()

    def publish(self, task: str, ids: Sequence[str]) -> bool:
        """Publish ids soon, and return at once also while the broker is away.

        Inline it waits for the broker, and returns False if a message was not confirmed.
        """
        outbox = self._outboxes.get(os.getpid()) or self._outbox()
        return outbox.add(task, ids) or _publish_all(
            self._inline, [(task, one) for one in ids], self._chunk
        )

    def close(self) -> None:
        """Publish what still waits, within a bounded time; later ids are published inline."""
        self._outbox().close()

    def _outbox(self) -> "_Outbox":
        # Without a lock, which may stay held after a fork: setdefault is atomic.
        made = self._make_outbox()
        found = self._outboxes.setdefault(made.pid, made)
        _process.outboxes[id(found)] = found
        return found


class _Outbox:
    """The ids that wait in one process, and the thread that publishes them."""

    def __init__(
        self,
        connect: Callable[[], MessageSender],
        chunk: int,
        patience_s: float,
    ) -> None:
        self.pid = os.getpid()
        self.publishing = threading.RLock()
        self._connect = connect
        self._chunk = chunk
        self._patience_s = patience_s
        # Not `with self._changed`: a signal's exception inside its Python code leaves it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[tuple[str, str]] = deque(maxlen=_MOST)
        self._dropped = 0
        self._running = False
        self._closed = _process.ends or not _threads_run()
        self._published_at = 0.0

    def add(self, task: str, ids: Sequence[str]) -> bool:
        """Take ids over; return False if there is no thread to publish them."""
        with self._lock:
            if self._closed or not (self._running or self._start()):
                return False
            self._dropped += max(0, len(self._waiting) + len(ids) - _MOST)
            self._waiting.extend((task, one) for one in ids)  # the oldest make room
            self._changed.notify_all()
        return True

    def end(self) -> None:
        """Take no more ids; the thread ends once it has published those that are here."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End, and wait until the thread has ended."""
        self.end()
        with self._lock:
            self._changed.wait_for(lambda: not self._running, self._patience_s)

    def _start(self) -> bool:
        self._running, started = True, False  # a submit that interrupts this one needs no other
        try:
            # Here, because it imports modules: a fork meanwhile leaves them half imported.
            sender = self._connect()
            threading.Thread(
                target=self._serve, args=[sender], name="wake-ups", daemon=True
            ).start()
            started = True
        except RuntimeError:  # too many threads, or the interpreter is about to end
            return False
        finally:
            self._running = started
        return True

    def _serve(self, sender: MessageSender) -> None:
        try:
            with closing(sender):
                # A fork copies gevent's threads too; they share the parent's connection.
                while (waiting := self._next()) and os.getpid() == self.pid:
                    _publish_all(partial(self._guarded, sender), waiting, self._chunk)
                    self._published_at = time.monotonic()
        except BaseException:
            with self._lock:
                self._running = False  # the next id starts another thread
            raise

    def _guarded(self, sender: MessageSender, task: str, ids: Sequence[str]) -> bool:
        with self.publishing:
            return sender.wake(task, ids)

    def _next(self) -> list[tuple[str, str]]:
        """Wait for ids and take all; none means that the thread has to end."""
        with self._lock:
            self._changed.wait_for(lambda: self._waiting or self._closed, _IDLE_S)
        if time.monotonic() - self._published_at < _BUSY_S and not self._closed:
            time.sleep(_GATHER_S)
        with self._lock:
            waiting, dropped = list(self._waiting), self._dropped
            self._waiting.clear()
            self._dropped = 0
            self._running = bool(waiting)
            self._changed.notify_all()
        if dropped:
            log.warning("too many wake-ups waited: the sweeper wakes the %d oldest", dropped)
        return waiting


def _publish_all(wake: Wake, waiting: Sequence[tuple[str, str]], chunk: int) -> bool:
    """Publish ids in as few messages as possible; stop, with False, if one isn't confirmed."""
    by_task: dict[str, list[str]] = {RUN_HIGH: []}  # these go first
    for task, one in waiting:
        by_task.setdefault(task, []).append(one)
    left = len(waiting)
    for task, ids in by_task.items():
        for start in range(0, len(ids), chunk):
            some = ids[start : start + chunk]
            confirmed = wake(task, some)
            left -= len(some)
            if not confirmed and left:
                log.warning("no wake-up sent for %d more", left)
            if not confirmed:
                return False
    return True


def _end_thread(outboxes: dict[int, _Outbox]) -> None:
    outbox = outboxes.get(os.getpid())
    if outbox:
        outbox.end()


def _threads_run() -> bool:
    """Return False where a thread must not be started: in some processes of uWSGI.

    Without `enable-threads` it would never run. In the master a fork, of which uWSGI doesn't tell
    Python, may leave a worker without an interpreter.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    given = {_text(name): _text(value) for name, value in uwsgi.opt.items()}
    enabled = any(given.get(name, "").lower() not in _OFF for name in ("enable-threads", "threads"))
    return enabled and uwsgi.worker_id() > 0


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class _ThisProcess:
    """The process of all its publishers: how it forks, and how it ends.

    A fork waits while a thread publishes a message, but not for a broker that hangs. Kombu holds
    locks of its classes while it publishes: a child in which one of them is held by a thread that
    doesn't exist there could publish nothing, nor could a Celery application of its own.
    """

    def __init__(self) -> None:
        self.outboxes: WeakValueDictionary[int, _Outbox] = WeakValueDictionary()
        self.ends = False
        self._forking = threading.local()

    @cache  # noqa: B019  there is one, for the whole process
    def register(self) -> None:
        """Begin to take part in forks and in the end of this process; done once."""
        os.register_at_fork(before=self._hold, after_in_parent=self._release)
        atexit.register(self._end)

    def _hold(self) -> None:
        end = time.monotonic() + _FORK_S
        held = self._forking.held = list[Any]()
        for lock in [outbox.publishing for outbox in self._own()]:
            if lock.acquire(timeout=max(0.0, end - time.monotonic())):
                held.append(lock)

    def _release(self) -> None:
        for lock in self._forking.held:
            lock.release()

    def _end(self) -> None:
        self.ends = True
        for outbox in self._own():
            outbox.close()

    def _own(self) -> "list[_Outbox]":
        """List this process's outboxes: a fork inherits its parent's."""
        found = [ref() for ref in self.outboxes.valuerefs()]  # a copy: other threads add to it
        return [outbox for outbox in found if outbox and outbox.pid == os.getpid()]


_process: Final = _ThisProcess()
