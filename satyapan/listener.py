"""One connection and one thread hear for everybody in this process who waits.

What is heard is only "this id changed". A waiter that hears nothing looks at the row now and then
all the same: a message that got lost, or a connection that broke, costs time and never an answer.
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

from satyapan.following import ROLE_S, is_replica

_ANSWER_S: Final = 1.0
"""How long to wait for the server to confirm a subscription."""
_HEAR_S: Final = 0.5
"""How long one read blocks: well below any read timeout."""
_IDLE_ROUNDS: Final = 20
"""After so many reads in which nobody waited, the connection is given back."""

log = logging.getLogger(__name__)


class Listener:
    """Hears for many waiters; connects when the first one comes, lets go when none is left."""

    def __init__(self, redis: Redis) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._lock = threading.Lock()
        self._waiting: dict[bytes, set[threading.Event]] = {}
        self._ears: _Ears | None = None

    @contextmanager
    def hearing(self, channel: str, verification_id: str) -> Iterator[threading.Event]:
        """Give an event that is set each time this id changes, from now on.

        Raises:
            redis.RedisError: Redis can't be reached.
        """
        heard, name = threading.Event(), verification_id.encode()
        with self._lock:
            self._waiting.setdefault(name, set()).add(heard)
            ears = self._listening()
        try:
            ears.subscribe(channel)
            yield heard
        finally:
            self._leave(name, heard)

    @property
    def hears(self) -> bool:
        """Tell whether there is a connection to hear by."""
        ears = self._ears
        return ears is not None and not ears.closed

    def _listening(self) -> "_Ears":
        if self._ears is None or self._ears.closed:
            self._ears = _Ears(self._redis.pubsub(), self._tell, self._nobody)
        return self._ears

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


class _Ears:
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
        """Subscribe, and wait until the server has confirmed it: nothing after that is missed."""
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
            self.closed = True  # who comes next begins anew, and doesn't wait for this one
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
            log.warning("stopped listening (%s); waiters look for themselves", type(error).__name__)
        finally:
            self.closed = True
            self._tell(None)

    def _ask_role(self) -> None:
        """Ask now and then whether this is still the master: a replica may hear no more."""
        connection = self._pubsub.connection
        if time.monotonic() < self._ask_at or str(connection.get_protocol()) != "3":
            return  # RESP2 allows no question on a connection that is subscribed
        self._ask_at = time.monotonic() + ROLE_S
        with self._lock:
            connection.send_command("HELLO", check_health=False)

    def _next(self) -> Any:  # noqa: ANN401  redis-py's own mapping
        told = self._pubsub.parse_response(block=False, timeout=_HEAR_S)
        if not isinstance(told, dict):
            return self._pubsub.handle_message(told) if told else None
        if is_replica(told):
            raise Broken("the server is no longer the master")
        return None

    def _take(self, message: Any) -> None:  # noqa: ANN401  redis-py's own mapping
        if message is None:
            return
        if message["type"] == "subscribe":
            self._confirmed[message["channel"]].set()
        elif message["type"] == "message":
            self._tell(message["data"])
