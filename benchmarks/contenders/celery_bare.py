"""Bare Celery as usually written: `requests.post`, automatic retries, the result backend."""

import os
from typing import Any

import requests
from celery import Celery

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
REDIS = os.environ["BENCH_REDIS_URL"]
WORKER = [
    *("-m", "celery", "-A", "benchmarks.contenders.celery_bare", "worker"),
    *("-P", "threads", "-c", "64", "-l", "WARNING"),
]

app = Celery("bench", broker=REDIS, backend=REDIS)
app.conf.broker_connection_retry_on_startup = True


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=3)
def verify(request: dict[str, Any]) -> Any:
    """Call the vendor."""
    reply = requests.post(URL, json=request, timeout=10)
    reply.raise_for_status()
    return reply.json()


def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Send one task for each request."""
    return [verify.delay(request) for request in requests]


def wait(handle: Any) -> Any:
    """Wait through the result backend."""
    return handle.get(timeout=120)
