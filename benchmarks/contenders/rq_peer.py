"""rq, a pool of 16 processes that don't fork for each job, a shared session."""

import os
import time
from typing import Any

import redis
import requests
from rq import Queue

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
WORKER = [
    *("-m", "rq.cli", "worker-pool", "-u", os.environ["BENCH_REDIS_URL"], "-n", "16"),
    *("-w", "rq.worker.SimpleWorker", "-q"),
]

_redis = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])
queue = Queue("default", connection=_redis)
session = requests.Session()


def verify(request: dict[str, Any]) -> Any:
    """Call the vendor."""
    reply = session.post(URL, json=request, timeout=10)
    reply.raise_for_status()
    return reply.json()


def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Enqueue each request."""
    return [queue.enqueue("benchmarks.contenders.rq_peer.verify", request) for request in requests]


def wait(handle: Any) -> Any:
    """Block on the job's result stream, below the client's read timeout of 5 s."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := handle.latest_result(timeout=2):
            return found.return_value
    raise TimeoutError(handle.id)
