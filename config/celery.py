"""Celery's settings for workers, on top of those that producers share."""

from typing import Any, Final

from celery import Celery
from kombu import Queue

from config.settings import Settings
from satyapan.broker.wakeups import broker_settings, new_app
from satyapan.names import QUEUES

_FIXED: Final = {
    "broker_transport": "worker.broker.kombu_transport:StrictTransport",
    "broker_connection_retry_on_startup": True,
    # None: a worker waits for its broker without end, not for 100 tries.
    "broker_connection_max_retries": None,
    # A Redis demoted to replica keeps the connection and refuses writes: reconnect then.
    "broker_channel_error_retry": True,
    # An interrupted paid call has an unknown outcome; lease and fence make a redelivery safe.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "task_create_missing_queues": False,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    # The row says what is next; the sweeper wakes it again, so the message is not needed.
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "worker_prefetch_multiplier": 1,
    # Take a message only when a slot is free: another worker can take one that waits.
    "worker_disable_prefetch": True,
    # We send no ETA; should one arrive, memory stays bounded.
    "worker_eta_task_limit": 1000,
    # Otherwise a worker with reserved but no running tasks exits without returning them.
    "worker_enable_soft_shutdown_on_idle": True,
    # Our logs go through one allow-list; Celery's own set-up would bypass it.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,
}
"""The settings that are the same in every installation."""


def worker_settings(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings of a worker process."""
    return {
        **broker_settings(settings.producer),
        **_FIXED,
        # Plain direct queues use the anonymous exchange: there is no routing table to be lost.
        "task_queues": [Queue(name, routing_key=name) for name in QUEUES],
        "worker_pool": settings.worker.pool,
        "worker_concurrency": settings.worker.concurrency,
        "worker_soft_shutdown_timeout": settings.worker.soft_shutdown_s,
        **_time_limits(settings),
    }


def build_app(settings: Settings) -> Celery:
    """Build the workers' app; the worker package registers the tasks."""
    return new_app(worker_settings(settings))


def _time_limits(settings: Settings) -> dict[str, Any]:
    """Bound tasks in prefork, the only pool that can; calls end earlier by their own deadlines."""
    if settings.worker.pool != "prefork":
        return {}
    # By then the message is delivered again; a call that has just begun may still end.
    soft = settings.producer.visibility_timeout_s
    return {
        "task_soft_time_limit": soft,
        "task_time_limit": soft + settings.vendor.total_timeout_s,
    }
