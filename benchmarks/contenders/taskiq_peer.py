"""taskiq over a Redis list, 100 coroutines, aiohttp, polling every 20 ms."""

import os
from typing import Any

import aiohttp
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
REDIS = os.environ["BENCH_REDIS_URL"]
WORKER = [
    *("-m", "taskiq", "worker", "benchmarks.contenders.taskiq_peer:broker"),
    *("--workers", "1", "--log-level", "WARNING"),
]

backend: Any = RedisAsyncResultBackend(redis_url=REDIS, result_ex_time=600)
broker = ListQueueBroker(url=REDIS).with_result_backend(backend)
_http: list[aiohttp.ClientSession] = []
_started: list[bool] = []


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def _start(_: TaskiqState) -> None:
    _http.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)))


@broker.task
async def verify(request: dict[str, Any]) -> Any:
    """Call the vendor."""
    async with _http[0].post(URL, json=request) as reply:
        reply.raise_for_status()
        return await reply.json()


async def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Send one message for each request."""
    if not _started:
        _started.append(True)
        await broker.startup()
    return [await verify.kiq(request) for request in requests]


async def wait(handle: Any) -> Any:
    """Poll for the answer."""
    return (await handle.wait_result(check_interval=0.02, timeout=120)).return_value
