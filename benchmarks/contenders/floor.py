"""The floor: a Redis list, 64 threads, urllib3, one list per answer. It guarantees nothing."""

import json
import os
import threading
from typing import Any

import redis
import urllib3

URL = os.environ["BENCH_VENDOR_URL"] + "/passport"
WORKER = ["-m", "benchmarks.contenders.floor"]
THREADS = 64
_redis: Any = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"], socket_timeout=None)


def submit(requests: list[dict[str, Any]]) -> list[str]:
    """Push each request."""
    for request in requests:
        _redis.lpush("floor:work", json.dumps(request))
    return [request["verification_id"] for request in requests]


def wait(verification_id: str) -> Any:
    """Block on the answer's own list."""
    return json.loads(_redis.blpop(f"floor:{verification_id}", 60)[1])


def work(http: urllib3.PoolManager) -> None:
    """Take requests, call the vendor and push the answers, for ever."""
    while True:
        request = json.loads(_redis.brpop("floor:work")[1])
        reply = http.request("POST", URL, json=request, timeout=10, retries=False)
        _redis.lpush(f"floor:{request['verification_id']}", reply.data)


def main() -> None:
    """Run the threads."""
    http = urllib3.PoolManager(maxsize=THREADS)
    threads = [threading.Thread(target=work, args=[http]) for _ in range(THREADS)]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
