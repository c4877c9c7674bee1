"""A producer in a process of its own, under the interpreter of its contender.

    python -m benchmarks.drive ours burst 500

burst: submit all, then wait for each. ping: one at a time. Prints one line of JSON.
"""

import asyncio
import importlib
import inspect
import itertools
import json
import os
import resource
import sys
import time
from typing import Any

_numbers = itertools.count()


def main(contender: str, mode: str, count: int) -> None:
    """Warm up with a few, then measure."""
    producer = _Producer(importlib.import_module(f"benchmarks.contenders.{contender}"))
    producer.burst(20)
    before, start = _cpu(), time.perf_counter()
    spans = producer.ping(count) if mode == "ping" else producer.burst(count)
    found = {"seconds": time.perf_counter() - start, "cpu_s": _cpu() - before, "spans_ms": spans}
    print(json.dumps(found))


class _Producer:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._loop = asyncio.new_event_loop()

    def burst(self, count: int) -> list[float]:
        handles = self._do(self._module.submit, [_request() for _ in range(count)])
        for handle in handles:
            self._check(self._do(self._module.wait, handle))
        return []

    def ping(self, count: int) -> list[float]:
        return [self._span() for _ in range(count)]

    def _span(self) -> float:
        start = time.perf_counter()
        self.burst(1)
        return (time.perf_counter() - start) * 1000

    def _do(self, function: Any, argument: Any) -> Any:
        given = function(argument)
        return self._loop.run_until_complete(given) if inspect.isawaitable(given) else given

    def _check(self, answer: Any) -> None:
        if answer["status"] != "VALID":
            raise RuntimeError("the answer is not the vendor's")


def _request() -> dict[str, Any]:
    return {
        "verification_id": f"b-{os.getpid()}-{time.time_ns()}-{next(_numbers)}",
        "file_number": "PA1079341954215",
        "dob": "2007-03-01",
        "name": "John Doe",
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
