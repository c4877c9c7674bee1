"""The Celery tasks. Each takes ids and hands them to the part that does the work."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery, Task
from redis.exceptions import RedisError

from satyapan.errors import SatyapanError
from satyapan.names import INGEST, RUN, RUN_HIGH, RUN_SLOT, STATUS_CHECK
from worker.build import Parts

log = logging.getLogger("satyapan.tasks")


def register(app: Celery, parts: Callable[[], Parts]) -> None:
    """Register the tasks; `parts` returns this process's parts, built at first use."""

    def run(task: Task[Any, Any], ids: list[str]) -> None:
        parts().engine.run_all(ids, str(task.name))

    for name in (RUN, RUN_HIGH, RUN_SLOT):
        app.task(name=name, bind=True)(run)

    @app.task(name=STATUS_CHECK)
    def status_check(ids: list[str]) -> None:
        _each(ids, parts().check_status)

    @app.task(name=INGEST)
    def ingest(ids: list[str]) -> None:
        _each(ids, parts().ingest.take)


def _each(ids: Iterable[str], work: Callable[[str], None]) -> None:
    """Work on each id. A failed id stays due, so it doesn't stop the others."""
    for one in ids:
        try:
            work(one)
        except (RedisError, SatyapanError) as error:
            log.warning("left for later", extra={"id": one, "code": type(error).__name__})
