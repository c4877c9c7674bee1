"""A worker process with our settings and logs, whose task fails on request."""

import logging
import sys

import redis
from celery import Celery
from celery.utils.log import get_task_logger

from config.celery import build_app
from config.logs import configure_logs
from config.settings import Settings, read_settings
from satyapan.names import RUN, STATUS_CHECK

FLAGS = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""As in worker/app.py; Celery has no settings for these."""


def create_app(settings: Settings) -> Celery:
    """Return the workers' app with a task that records its ids, and fails for `fail-...`."""
    app = build_app(settings)

    def work(ids: list[str]) -> str:
        with redis.Redis.from_url(settings.producer.redis_url) as client:
            client.sadd("ran", *ids)
        logging.getLogger("worker").info("ran", extra={"id": ids[0], "payload": ids})
        get_task_logger("elsewhere").warning("handled %s", f"secret of {ids[0]}")
        if ids[0].startswith("fail-"):
            raise ValueError(f"secret of {ids[0]}")
        return f"result of {ids[0]}"

    for name in (RUN, STATUS_CHECK):
        app.task(name=name)(work)
    return app


def main() -> None:
    """Run the worker until it is stopped."""
    settings = read_settings()
    configure_logs(settings.log.level, settings.log.format, sys.stdout)
    create_app(settings).worker_main(["worker", *FLAGS])


if __name__ == "__main__":
    main()
