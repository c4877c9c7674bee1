"""dramatiq, two processes of 64 threads, a shared session, its result backend."""

import os
from typing import Any

import dramatiq
import requests
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
WORKER = [
    *("-m", "dramatiq", "benchmarks.contenders.dramatiq_peer"),
    *("--processes", "2", "--threads", "64"),
]

broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"])
backend = RedisBackend(url=os.environ["BENCH_REDIS_URL"])
broker.add_middleware(Results(backend=backend, store_results=True))
dramatiq.set_broker(broker)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))


@dramatiq.actor(max_retries=3, store_results=True)
def verify(request: dict[str, Any]) -> Any:
    """Call the vendor."""
    reply = session.post(URL, json=request, timeout=10)
    reply.raise_for_status()
    return reply.json()


def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Send one message for each request."""
    return [verify.send(request) for request in requests]


def wait(handle: Any) -> Any:
    """Wait through the result backend."""
    return handle.get_result(backend=backend, block=True, timeout=120_000)
