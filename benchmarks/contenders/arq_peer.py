"""arq, 100 coroutines, aiohttp, polling every 20 ms instead of every 500."""

import os
from typing import Any, ClassVar

import aiohttp
from arq import create_pool
from arq.connections import RedisSettings

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
WORKER = ["-m", "arq", "benchmarks.contenders.arq_peer.WorkerSettings"]
SETTINGS = RedisSettings.from_dsn(os.environ["BENCH_REDIS_URL"])
_pool: list[Any] = []


async def verify(context: dict[str, Any], request: dict[str, Any]) -> Any:
    """Call the vendor."""
    async with context["http"].post(URL, json=request) as reply:
        reply.raise_for_status()
        return await reply.json()


async def _start(context: dict[str, Any]) -> None:
    context["http"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))


class WorkerSettings:
    """Settings that arq's command line reads."""

    functions: ClassVar = [verify]
    on_startup = _start
    redis_settings = SETTINGS
    max_jobs = 100
    poll_delay = 0.02


async def submit(requests: list[dict[str, Any]]) -> list[Any]:
    """Enqueue each request."""
    if not _pool:
        _pool.append(await create_pool(SETTINGS))
    return [await _pool[0].enqueue_job("verify", request) for request in requests]


async def wait(handle: Any) -> Any:
    """Poll for the answer."""
    return await handle.result(timeout=120, poll_delay=0.02)
