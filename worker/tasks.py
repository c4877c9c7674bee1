"""The Celery tasks. Each takes ids and hands them to the part that does the work."""

import logging
from collections.abc import Callable, Iterable

from celery import Celery
from redis.exceptions import RedisError

from satyapan.errors import SatyapanError
from satyapan.names import INGEST, RUN, RUN_HIGH, RUN_SLOT, STATUS_CHECK
from worker.build import Parts

log = logging.getLogger("satyapan.tasks")


def register(app: Celery, parts: Callable[[], Parts]) -> None:
    """Register the tasks; `parts` returns this process's parts, built at first use."""

    @app.task(name=RUN)
    def run(ids: list[str]) -> None:
        parts().run_all(ids, RUN)

    @app.task(name=RUN_HIGH)
    def run_high(ids: list[str]) -> None:
        parts().run_all(ids, RUN_HIGH)

    @app.task(name=RUN_SLOT)
    def run_slot(ids: list[str]) -> None:
        parts().run_all(ids, RUN_SLOT)

    @app.task(name=STATUS_CHECK)
    def status_check(ids: list[str]) -> None:
        _each(ids, parts().check_status)

    @app.task(name=INGEST)
    def ingest(ids: list[str]) -> None:
        _each(ids, parts().take)


def _each(ids: Iterable[str], work: Callable[[str], None]) -> None:
    """Work on each id. A failed id stays due, so it doesn't stop the others."""
    for one in ids:
        try:
            work(one)
        except (RedisError, SatyapanError) as error:
            log.warning("left for later", extra={"id": one, "code": type(error).__name__})
