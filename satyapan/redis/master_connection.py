"""Connections that leave a server which is no longer the master.

In a planned failover a replica is promoted and the address moves to it, but connections that are
open stay with the old master: it answers reads, ever older ones, and refuses each write.
"""

import logging
import time
from typing import Any, Final

from redis.connection import AbstractConnection
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

ROLE_S: Final = 2.0
"""How often a connection that is used asks its server for the role, seconds."""
_CUT_OFF: Final = "NOREPLICAS"
"""The refusal of a master whose replicas are gone, which has a name but no class in redis-py."""

log = logging.getLogger(__name__)


class MasterConnection(AbstractConnection):
    """A mix-in of connection classes: reconnect when the server is no longer the master.

    Asks for the role before a command, every ROLE_S seconds at most, by HELLO, which no access
    list can forbid. A refused write makes the next command reconnect at once. Replies that are
    still under way are read first: what was done before the refusal was done. Not for WATCH, which
    would be lost with the old connection.
    """

    _ask_at: float | None = None
    _refused = False

    def check_health(self) -> None:
        """Leave a server that refused a write or is a replica; then redis-py's own check."""
        now = time.monotonic()
        if self._ask_at is None:  # just connected; the handshake comes through here as well
            self._ask_at = now + ROLE_S
        elif self._refused or self._is_replica(now):
            log.info("leaving a Redis that is no longer the master")
            self.disconnect()
            self.connect()  # type: ignore[no-untyped-call] # theirs
        super().check_health()  # type: ignore[no-untyped-call] # theirs

    def read_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  redis-py's reply
        """Read a reply, and remember a refusal that only another master can resolve."""
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            lost = isinstance(error, ReadOnlyError | MasterDownError)
            self._refused = self._refused or lost or str(error).startswith(_CUT_OFF)
            raise

    def disconnect(self, *args: Any, **options: Any) -> None:
        """Disconnect, and forget the server's role."""
        self._ask_at, self._refused = None, False
        super().disconnect(*args, **options)  # type: ignore[no-untyped-call] # theirs

    def _is_replica(self, now: float) -> bool:
        if self._ask_at is None or now < self._ask_at:
            return False
        self._ask_at = now + ROLE_S
        self.send_command("HELLO", check_health=False)  # type: ignore[no-untyped-call] # theirs
        try:
            reply = self.read_response(disable_decoding=True)
        except ResponseError:  # a proxy that doesn't know HELLO: only refused writes show the role
            return False
        return is_replica(reply)


def is_replica(reply: Any) -> bool:  # noqa: ANN401  redis-py's reply
    """Return True if a reply to HELLO comes from a replica."""
    return b"replica" in (reply.values() if isinstance(reply, dict) else reply)


def following_master(kind: type[Any]) -> type[Any]:
    """Return a class of connections of this kind that follow the master."""
    return type(kind.__name__, (MasterConnection, kind), {})
