"""The wake-ups' road: Celery settings that producers and workers share, and the publishing of one.

A wake-up is a hint. The ledger's due-index finds every verification whose wake-up was lost, so
publishing is tried once, within the timeouts, and never makes a submission fail.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from satyapan.names import QUEUE_OF, RUN_QUEUE
from satyapan.settings.producer import ProducerSettings

_SHOWN: Final = 20
_log: Final = logging.getLogger(__name__)


class App(Celery):
    """A Celery app that takes its broker from its own settings alone, and has no result backend.

    Celery lets CELERY_BROKER_URL and CELERY_RESULT_BACKEND of the environment win, which in a
    producer's process belong to the producer's own application.
    """

    backend_cls = "disabled://"

    def connection_for_read(self, url: str | None = None, **options: object) -> Connection:
        """Connect for consuming."""
        return super().connection_for_read(url or self.conf["broker_url"], **options)

    def connection_for_write(self, url: str | None = None, **options: object) -> Connection:
        """Connect for publishing."""
        return super().connection_for_write(url or self.conf["broker_url"], **options)


class Waker:
    """Publishes wake-ups. One per process is enough; threads may share it."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._producer: Producer | None = None

    def wake(self, task_name: str, ids: Sequence[str]) -> bool:
        """Publish one wake-up for some ids; return True if that was confirmed.

        After False Redis may still have taken it: only the reply may be lost. Either way
        nothing is lost, and the caller has nothing to do.
        """
        try:
            self._app.send_task(
                task_name,
                args=[list(ids)],
                queue=QUEUE_OF[task_name],
                ignore_result=True,
                argsrepr=f"{len(ids)} ids",  # else Celery writes them a second time
                kwargsrepr="{}",
                retry=False,
                add_to_parent=False,  # a producer's own task must not adopt ours
                producer=self._producer,
            )
        except (OperationalError, RedisError, OSError) as error:
            shown = ", ".join(ids[:_SHOWN])
            why = type(error).__name__
            _log.warning("no wake-up sent (%s) for %d: %s", why, len(ids), shown)
            return False
        return True

    def queued(self, task_name: str) -> int:
        """Count the messages that wait where this task's wake-ups go; 0 if the broker is away."""
        queue = self._app.amqp.queues[QUEUE_OF[task_name]]
        try:
            with self._app.connection_or_acquire() as connection:
                # Not passively: Kombu's Redis looks for such a queue without our key prefix.
                found: Any = queue(connection.default_channel).queue_declare()
        except (OperationalError, RedisError, OSError):
            return 0
        return int(found.message_count)


class OwnWaker(Waker):
    """Publishes for one thread, on a connection of its own: it shares no lock with other threads.

    Connects at first use.
    """

    def __init__(self, app: Celery) -> None:
        super().__init__(app)
        self._connection = app.connection_for_write()
        self._producer = app.amqp.Producer(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()


def wake_app(settings: ProducerSettings) -> Celery:
    """Build the app that a producer publishes with; it does not become the current app."""
    app = new_app(broker_settings(settings))
    # Fail at once: kombu would try again for `broker_connection_timeout` inside the caller's time.
    app.conf.broker_transport_options["max_retries"] = 0
    return app


def new_app(settings: Mapping[str, Any]) -> Celery:
    """Build an app that reads neither the environment nor a configuration module."""
    app = App("satyapan", loader="celery.loaders.app:AppLoader", set_as_current=False)
    app.conf.update(settings)
    return app


def broker_settings(settings: ProducerSettings) -> dict[str, Any]:
    """Return the Celery settings that must be the same in every process that uses the broker."""
    return {
        "broker_url": kombu_url(settings.broker_url),
        "broker_transport": "satyapan.broker.kept_client:Transport",
        "broker_transport_options": _transport(settings),
        "broker_connection_timeout": settings.redis_connect_timeout_s,
        "broker_pool_acquire_timeout": settings.redis_read_timeout_s,
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_backend": None,  # the row is the answer
        "task_ignore_result": True,
        # A repeat of an ambiguous publish is a second message; the due-index repeats better.
        "task_publish_retry": False,
        # Events and extended results would copy arguments to where they live longer.
        "task_send_sent_event": False,
        "worker_send_task_events": False,
        "result_extended": False,
        "task_default_queue": RUN_QUEUE,
        "task_routes": {task: {"queue": queue} for task, queue in QUEUE_OF.items()},
        "timezone": "UTC",
        "enable_utc": True,
    }


def kombu_url(url: str) -> str:
    """Write a Redis URL the way Kombu reads it.

    Kombu knows a unix socket under another scheme, and takes a bare `rediss://` for
    "don't check the certificate".
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        database = parse_qs(parts.query).get("db", ["0"])[0]
        return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
        query = "&".join(filter(None, (parts.query, "ssl_cert_reqs=required")))
        return parts._replace(query=query).geturl()
    return url


def _transport(settings: ProducerSettings) -> dict[str, Any]:
    return {
        # The shortest of all clients of this Redis wins: one setting for every process.
        "visibility_timeout": settings.visibility_timeout_s,
        # Look every 5 s for what to deliver again; Kombu's own pace is every 100 s or so.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # A process killed while it restores holds the others up for this long, not for 300 s.
        "unacked_mutex_expire": 30,
        "global_keyprefix": f"{settings.prefix}:broker:",
        "client_name": f"{settings.prefix}-broker",
        "socket_connect_timeout": settings.redis_connect_timeout_s,
        "socket_timeout": settings.redis_read_timeout_s,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # redis-py would send an LPUSH again whose reply was lost.
        "retry_on_timeout": False,
        "queue_order_strategy": "round_robin",
    }
