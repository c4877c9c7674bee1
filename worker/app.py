"""The Celery worker of one process: app, tasks, and the sweeper beside them."""

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
    # A loop that stalls for longer than a lease loses its claims to other workers.
    heart = Heartbeat(heartbeat, settings.worker.lease_s, time.monotonic)

    def beat() -> None:
        parts().marker.mark()
        parts().rewrite.step()
        parts().retention.step()
        heart.beat(parts().engine.stalled_s())

    sweeper = Sweeper(lambda: parts().sweep, settings.worker.sweep_s, beat)
    watch = Watch(partial(check_server, settings, ledger_client(settings, "watch")), _end)

    def ready(**_: object) -> None:
        settle_down()
        log.info("worker ready")
        sweeper.start()
        watch.start()

    def stop() -> None:
        log.info("worker stopping")
        watch.stop()
        parts().engine.stop()
        sweeper.stop()

    def child(**_: object) -> None:
        configure_logs(settings.log.level, settings.log.format)
        settle_down()

    if (
        settings.worker.pool == "threads"
    ):  # in prefork each child has an engine, and the parent none
        # Built here: a fault in it, found by Celery's consumer, passes for a broker that is away.
        app.steps["consumer"].add(backpressure(parts().engine.room))
    worker_ready.connect(ready, weak=False)
    shutdown = Shutdown(stop)
    worker_shutting_down.connect(shutdown.begin, weak=False)  # sent by Celery's signal handler
    worker_process_init.connect(child, weak=False)
    shutdown.start()
    try:
        code = _start(app, settings)
    finally:
        shutdown.end()
        restore_streams()
    return UNSAFE if watch.refused else code


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
