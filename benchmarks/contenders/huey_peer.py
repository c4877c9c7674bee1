"""huey, 64 threads, a shared session, results by polling every 20 ms."""

import os
from typing import Any

import requests
from huey import RedisHuey

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
WORKER = [
    *("-m", "huey.bin.huey_consumer", "benchmarks.contenders.huey_peer.huey"),
    *("-k", "thread", "-w", "64", "-q"),
]

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS_URL"])
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))


@huey.task(retries=3)
def verify(request: dict[str, Any]) -> Any:
    """Call the vendor."""
    reply = session.post(URL, json=request, timeout=10)
    reply.raise_for_status()
    return reply.json()


def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Enqueue each request."""
    return [verify(request) for request in requests]


def wait(handle: Any) -> Any:
    """Poll for the answer."""
    return handle.get(blocking=True, timeout=120, backoff=1.0, max_delay=0.02)
