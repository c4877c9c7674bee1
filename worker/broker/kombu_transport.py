"""Kombu's Redis transport, corrected so that a worker survives a restart of its broker.

Celery 5.7.0 with Kombu 5.7.0: a worker that holds any unacknowledged message (a running task that
acknowledges late, or one with an ETA) when the broker connection breaks exits with AttributeError
("'NoneType' object has no attribute 'hostname'"). The consumer first collects the connection, which
fails half way and deletes the connection's details, then closes it, which restores unacknowledged
messages through that connection. The worker handles connection errors there, but no AttributeError;
so a connection error is raised.

Second: an acknowledgement that fails because Redis is away leaves the message on the list of those
that the worker holds. When all its places are taken by such messages, it asks for no other, and so
never learns that its connection is dead: it stalls for ever, without a log line. Here the place is
free again; the message itself comes back after the visibility timeout.

Third: Kombu parses whatever a queue holds while it takes it, and again while it restores what was
never acknowledged. An error there ends the worker, and the next worker gets the same message.
`StrictTransport` accepts wake-ups only, and drops the rest.

tests/integration/test_transport.py and tests/architecture/test_library_seams.py fail on the day
this is no longer needed, or no longer fits.
"""

from queue import Empty
from typing import Any

import redis
from kombu.transport import redis as upstream
from kombu.transport import virtual
from kombu.utils.encoding import bytes_to_str

from satyapan.broker import kept_client as transport
from satyapan.failpoints import Failpoint, failpoint
from worker.broker import wakeups


class ResilientQoS(upstream.QoS):
    """The messages that this worker holds, without those whose acknowledgement failed."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; the place becomes free also if Redis is away."""
        try:
            super().ack(delivery_tag)
        except (redis.RedisError, OSError):
            virtual.QoS.ack(self, delivery_tag)  # on our own list alone
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002
        """Reject a message; the place becomes free also if Redis is away."""
        try:
            super().reject(delivery_tag, requeue)
        except (redis.RedisError, OSError):
            virtual.QoS.ack(self, delivery_tag)  # on our own list alone
            raise


class ResilientChannel(transport.Channel):
    """A channel that raises ConnectionError for a collected connection."""

    QoS = ResilientQoS

    # The signature is upstream's.
    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        if getattr(self.connection, "client", None) is None:
            raise redis.ConnectionError("the broker connection was already collected")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc] # not in stubs
        return params


class ResilientTransport(transport.Transport):
    """Name this in Celery's `broker_transport`; the broker URL stays `redis://` or `rediss://`."""

    Channel = ResilientChannel

    def _deliver(self, message: dict[str, Any] | None, queue: str | None) -> None:
        failpoint(Failpoint.POPPED)
        super()._deliver(message, queue)


class StrictQoS(ResilientQoS):
    """The messages that this worker holds; a broken one of a dead worker is not restored."""

    # The signature is upstream's; of what else it has there are no types.
    def restore_by_tag(
        self: Any,
        tag: str,
        client: Any = None,  # noqa: ANN401
        leftmost: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Restore a message to its queue, as upstream does, but parse it with `take_back`."""

        def restore(pipe: Any) -> None:  # noqa: ANN401
            raw = pipe.hget(self.unacked_key, tag)
            pipe.multi()
            self._remove_from_indices(tag, pipe)
            if raw is not None and (found := wakeups.take_back(raw)):
                message, queue = found
                self.channel._do_restore_message(message, "", queue, pipe, leftmost)  # noqa: SLF001

        with self.channel.conn_or_acquire(client) as held:
            held.transaction(restore, self.unacked_key)


class StrictChannel(ResilientChannel):
    """A channel that parses nothing but wake-ups."""

    QoS = StrictQoS

    def _brpop_read(self: Any, **options: Any) -> bool:
        """Do as upstream does, but parse with `take`."""
        try:
            found = self._brpop_reply(**options)
            if not found:
                raise Empty
            key, raw = found
            queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            message = wakeups.take(raw, queue)
            if message is not None:
                self.connection._deliver(message, queue)  # noqa: SLF001  as upstream does
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _brpop_reply(self: Any, **options: Any) -> Any:  # noqa: ANN401
        try:
            return self.client.parse_response(self.client.connection, "BRPOP", **options)
        except self.connection_errors:
            self.client.connection.disconnect()
            raise


class StrictTransport(ResilientTransport):
    """The workers' transport."""

    Channel = StrictChannel
