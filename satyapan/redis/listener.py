"""Listen for changed ids on one connection and in one thread, for all waiters of a process.

A message only says "this id changed". A waiter also reads the row from time to time: a lost
message or a broken connection costs time, never an answer.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from redis import Redis
from redis.client import PubSub
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import RedisError

from satyapan.redis.master_connection import ROLE_S, is_replica

_ANSWER_S: Final = 1.0
"""Seconds to wait for the server to confirm a subscription."""
_HEAR_S: Final = 0.5
"""Seconds for which one read blocks: well below any read timeout."""
_IDLE_ROUNDS: Final = 20
"""After so many reads without a waiter the connection is closed."""

log = logging.getLogger(__name__)


class Listener:
    """Listens for many waiters: connects for the first, disconnects after the last."""

    def __init__(self, redis: Redis) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._lock = threading.Lock()
        self._waiting: dict[bytes, set[threading.Event]] = {}
        self._subscription: _Subscription | None = None

    @contextmanager
    def hearing(self, channel: str, verification_id: str) -> Iterator[threading.Event]:
        """Yield an event that is set each time this id changes, from now on.

        Raises:
            redis.RedisError: Redis can't be reached.
        """
        heard, name = threading.Event(), verification_id.encode()
        with self._lock:
            self._waiting.setdefault(name, set()).add(heard)
            subscription = self._listening()
        try:
            subscription.subscribe(channel)
            yield heard
        finally:
            self._leave(name, heard)

    @property
    def hears(self) -> bool:
        """Return True if there is a subscribed connection."""
        subscription = self._subscription
        return subscription is not None and not subscription.closed

    def _listening(self) -> "_Subscription":
        if self._subscription is None or self._subscription.closed:
            self._subscription = _Subscription(self._redis.pubsub(), self._tell, self._nobody)
        return self._subscription

    def _tell(self, name: bytes | None) -> None:
        """Set the waiters of one id, or all of them when the connection broke."""
        with self._lock:
            ids = [name] if name is not None else list(self._waiting)
            for heard in [one for each in ids for one in self._waiting.get(each, ())]:
                heard.set()

    def _nobody(self) -> bool:
        with self._lock:
            return not self._waiting

    def _leave(self, name: bytes, heard: threading.Event) -> None:
        with self._lock:
            self._waiting[name].discard(heard)
            if not self._waiting[name]:
                del self._waiting[name]


class _Subscription:
    """One subscribed connection and the thread that reads it."""

    def __init__(
        self, pubsub: PubSub, tell: Callable[[bytes | None], None], nobody: Callable[[], bool]
    ) -> None:
        self.closed = False
        self._ask_at = time.monotonic() + ROLE_S
        self._pubsub: Any = pubsub
        self._tell = tell
        self._nobody = nobody
        self._lock = threading.Lock()
        self._confirmed: dict[bytes, threading.Event] = {}
        self._thread: threading.Thread | None = None

    def subscribe(self, channel: str) -> None:
        """Subscribe, and wait until the server confirms it: no later message is missed."""
        with self._lock:
            confirmed = self._confirmed.get(channel.encode())
            if confirmed is None:
                confirmed = self._confirmed[channel.encode()] = threading.Event()
                self._ask(channel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="listener", daemon=True)
                self._thread.start()
        confirmed.wait(_ANSWER_S)

    def _ask(self, channel: str) -> None:
        try:
            self._pubsub.subscribe(channel)
        except Exception:
            self.closed = True  # the next waiter makes another subscription
            raise

    def _read(self) -> None:
        idle = 0
        try:
            with closing(self._pubsub):
                while idle < _IDLE_ROUNDS:
                    self._ask_role()
                    self._take(self._next())
                    idle = idle + 1 if self._nobody() else 0
        except (RedisError, OSError) as error:
            code = type(error).__name__
            log.warning("stopped listening (%s); waiters read the row from time to time", code)
        finally:
            self.closed = True
            self._tell(None)

    def _ask_role(self) -> None:
        """Ask every ROLE_S seconds whether this is still the master."""
        connection = self._pubsub.connection
        if time.monotonic() < self._ask_at or str(connection.get_protocol()) != "3":
            return  # RESP2 allows no HELLO on a subscribed connection
        self._ask_at = time.monotonic() + ROLE_S
        with self._lock:
            connection.send_command("HELLO", check_health=False)

    def _next(self) -> Any:  # noqa: ANN401  redis-py's own mapping
        reply = self._pubsub.parse_response(block=False, timeout=_HEAR_S)
        if not isinstance(reply, dict):
            return self._pubsub.handle_message(reply) if reply else None
        if is_replica(reply):
            raise Broken("the server is no longer the master")
        return None

    def _take(self, message: Any) -> None:  # noqa: ANN401  redis-py's own mapping
        if message is None:
            return
        if message["type"] == "subscribe":
            self._confirmed[message["channel"]].set()
        elif message["type"] == "message":
            self._tell(message["data"])
