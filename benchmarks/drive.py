"""A producer in its own process, run by the interpreter of its contender.

    python -m benchmarks.drive ours burst 500
    python -m benchmarks.drive ours load 500 16

burst: submit all, then wait for each. load: keep a number in flight, each with its own wait.
Prints one line of JSON.
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
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_numbers = itertools.count()


def main(contender: str, mode: str, count: int, flight: int) -> None:
    """Warm up, then measure."""
    producer = _Producer(importlib.import_module(f"benchmarks.contenders.{contender}"))
    producer.burst(20)
    before, start = _cpu(), time.perf_counter()
    spans = producer.load(count, flight) if mode == "load" else producer.burst(count)
    found = {"seconds": time.perf_counter() - start, "cpu_s": _cpu() - before, "spans_ms": spans}
    print(json.dumps(found))


class _Producer:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._loop = asyncio.new_event_loop()

    def burst(self, count: int) -> list[float]:
        handles = self._do(self._module.submit, [_request() for _ in range(count)])
        for handle in handles:
            _check(self._do(self._module.wait, handle))
        return []

    def load(self, count: int, flight: int) -> list[float]:
        """Return the ms of each. Runs threads, or coroutines if the contender is async."""
        if inspect.iscoroutinefunction(self._module.submit):
            return self._loop.run_until_complete(self._coroutines(count, flight))
        if flight == 1:
            return [self._span(number) for number in range(count)]
        with ThreadPoolExecutor(flight) as pool:
            return list(pool.map(self._span, range(count)))

    def _span(self, _number: int) -> float:
        start = time.perf_counter()
        for handle in self._module.submit([_request()]):
            _check(self._module.wait(handle))
        return (time.perf_counter() - start) * 1000

    async def _coroutines(self, count: int, flight: int) -> list[float]:
        numbers = iter(range(count))

        async def some() -> list[float]:
            return [await self._async_span() for _ in numbers]

        return list(itertools.chain(*await asyncio.gather(*[some() for _ in range(flight)])))

    async def _async_span(self) -> float:
        start = time.perf_counter()
        for handle in await self._module.submit([_request()]):
            _check(await self._module.wait(handle))
        return (time.perf_counter() - start) * 1000

    def _do(self, function: Any, argument: Any) -> Any:
        given = function(argument)
        return self._loop.run_until_complete(given) if inspect.isawaitable(given) else given


def _check(answer: Any) -> None:
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
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
