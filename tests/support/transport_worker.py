"""A Celery worker for tests of its transport, run as `transport_worker URL POOL [TRANSPORT]`."""

import sys
import time

import redis
from celery import Celery


def create_app(url: str, transport: str | None) -> Celery:
    """Return an app on this broker, through the named transport class or Kombu's own."""
    app = Celery("transport_worker", broker=url, set_as_current=False)
    app.conf.update(
        broker_transport=transport,
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_channel_error_retry=True,
        # Short, so that a message lost in the restart is redelivered within the test.
        broker_transport_options={
            "visibility_timeout": 4,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
    )

    @app.task(name="note")
    def note(mark: str, seconds: float = 0.0) -> None:
        with redis.Redis.from_url(url) as client:
            client.sadd("begun", mark)
            time.sleep(seconds)
            client.sadd("done", mark)

    return app


if __name__ == "__main__":
    broker, pool, *transport_name = sys.argv[1:]
    options = ["--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    app = create_app(broker, transport_name[0] if transport_name else None)
    app.worker_main(["worker", "--pool", pool, *options])
