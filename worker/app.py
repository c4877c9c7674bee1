"""The Celery worker of one process: its app with the tasks, and maintenance beside them."""

import gc
import logging
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Final

from celery import Celery
from celery.signals import worker_process_init, worker_ready, worker_shutting_down

from config.celery import build_app
from config.logs import configure_logs
from config.redis_clients import ledger_client
from config.servers import check_server
from config.settings import Settings
from config.streams import restore_streams
from satyapan.broker.wakeups import Waker
from worker.build import PerProcess, build
from worker.engine.backpressure import backpressure
from worker.maintenance.heartbeat import Heartbeat
from worker.maintenance.sweeper import Sweeper
from worker.maintenance.watch import Watch
from worker.shutdown import Shutdown
from worker.tasks import register

UNSAFE: Final = os.EX_CONFIG
"""The exit code of a worker whose Redis became unsafe."""
_NEW_OBJECTS: Final = 10_000

log = logging.getLogger("satyapan.worker")


def create_app(settings: Settings) -> tuple[Celery, PerProcess]:
    """Build the app with its tasks, and the function that returns a process's parts."""
    app = build_app(settings)
    waker = Waker(app)
    parts = PerProcess(lambda: build(settings, waker.wake, waker.queued))
    register(app, parts)
    return app, parts


def run_worker(settings: Settings, heartbeat: Path | None) -> int:
    """Run a worker until a signal stops it; return its exit code.

    `heartbeat` is a file whose modification time is when this worker last made progress.
    """
    app, parts = create_app(settings)
    if settings.worker.pool == "threads":  # in prefork each child has an engine, the parent none
        # Built here: an error in Celery's consumer would pass for a broker that is away.
        app.steps["consumer"].add(backpressure(parts().engine.room))
    process = WorkerProcess(settings, parts, heartbeat)
    process.shutdown.start()
    try:
        code = _start(app, settings)
    finally:
        process.shutdown.end()
        restore_streams()
    return UNSAFE if process.watch.refused else code


class WorkerProcess:
    """Starts and stops what a worker process does beside its tasks, at Celery's signals."""

    def __init__(self, settings: Settings, parts: PerProcess, heartbeat: Path | None) -> None:
        self._settings = settings
        self._parts = parts
        # A loop that stalls for longer than a lease loses its claims to other workers.
        self._heartbeat = Heartbeat(heartbeat, settings.worker.lease_s, time.monotonic)
        self._sweeper = Sweeper(lambda: parts().sweep, settings.worker.sweep_s, self._swept)
        self.watch = Watch(partial(check_server, settings, ledger_client(settings, "watch")), _end)
        self.shutdown = Shutdown(self._stop)
        worker_ready.connect(self._ready, weak=False)
        # Sent by Celery's signal handler.
        worker_shutting_down.connect(self.shutdown.begin, weak=False)
        worker_process_init.connect(self._child, weak=False)

    def _ready(self, **_: object) -> None:
        settle_down()
        log.info("worker ready")
        self._sweeper.start()
        self.watch.start()

    def _stop(self) -> None:
        log.info("worker stopping")
        self.watch.stop()
        self._parts().engine.stop()
        self._sweeper.stop()

    def _child(self, **_: object) -> None:
        configure_logs(self._settings.log.level, self._settings.log.format)
        settle_down()

    def _swept(self) -> None:
        """Do after each sweep that went well what is done at intervals."""
        parts = self._parts()
        parts.marker.mark()
        parts.rewrite.step()
        parts.retention.step()
        self._heartbeat.beat(parts.engine.stalled_s())


def _end() -> None:
    """End this worker as its supervisor would: it takes nothing new and finishes its calls."""
    os.kill(os.getpid(), signal.SIGTERM)


def settle_down() -> None:
    """Exclude what exists now from garbage collection, and collect the rest less often.

    A verification creates few reference cycles. Python's default, every 700 new objects and through
    all modules, takes 90 us of CPU for each verification in bulk.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)


def _start(app: Celery, settings: Settings) -> int:
    # Gossip, mingle and heartbeats are for workers that watch each other over the broker; ours
    # meet in the ledger, and each of those costs messages all day.
    worker = app.Worker(
        pool=settings.worker.pool,
        concurrency=settings.worker.concurrency,
        loglevel=settings.log.level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
