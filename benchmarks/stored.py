"""What a finished passport costs in Redis, and what stored rows and a backlog cost each step.

    python -m benchmarks.stored
    python -m benchmarks.stored --sizes 1000,10000,100000,1000000

For each size: bytes a row, and the CPU and time of submit, claim, sweep and list beside that many
finished rows and a tenth as many waiting ones.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from benchmarks.machine import settings
from config.settings import Settings, read_settings
from demo.server import EmbeddedServer
from satyapan import State, Verifications
from satyapan.names import Keys
from satyapan.records import Row
from worker.build import Parts, build

_REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"}
_ANSWER = {
    "reference_id": "7083347",
    "status": "VALID",
    "file_number": "PA1079341954215",
    "name": "JOHN DOE",
    "dob": "2007-03-01",
    "application_type": "Tatkaal",
    "application_received_date": "2016-08-23",
}
_STEPS = 200


class Store:
    """A ledger filled through its own scripts: submit, claim, commit."""

    def __init__(self, url: str) -> None:
        told: Settings = read_settings(settings(url, "http://127.0.0.1:1", {}))
        self.parts: Parts = build(told, lambda _task, _ids: True)
        self.client = Verifications(told.producer)
        self.keys = Keys(told.producer.prefix)
        self.redis: Any = redis.Redis.from_url(url)

    def submit(self, names: Iterator[str], count: int) -> list[str]:
        """Submit so many."""
        items = [{"request": _REQUEST, "key": next(names)} for _ in range(count)]
        return [one.id for one in self.client.submit_many("passport", items) if hasattr(one, "id")]

    def finish(self, row_id: str) -> None:
        """End a verification as a worker would, without the call."""
        ledger = self.parts.ledger
        claim = ledger.claim(row_id)
        if claim is None:
            raise RuntimeError(f"{row_id} could not be claimed")
        sent = replace(claim.row, state=State.SENT, attempts=1)
        sent = ledger.commit(claim.row, sent, (), claim.now, keep=True, alias="")
        ledger.commit(sent, _ended(sent), ("done",), claim.now, keep=False, alias="")

    def used(self) -> int:
        """Give the bytes that the server's data take."""
        told: Any = self.redis.info("memory")
        return int(told["used_memory"])

    def row_bytes(self, row_id: str) -> int:
        """Give the bytes of one row."""
        return int(self.redis.memory_usage(self.keys.row(row_id), samples=0))


def _ended(row: Row) -> Row:
    done = replace(row, state=State.DONE, status="VALID", http=200, reference="7083347", due=0)
    return replace(done, result={"verification_id": row.id, **_ANSWER}, request={}, deadline=0)


def measure(store: Store, size: int, names: Iterator[str], had: int) -> str:
    """Grow the store to a size and measure there; gives a line of the table."""
    before = store.used()
    row_id = ""
    for row_id in store.submit(names, size - had):
        store.finish(row_id)
    each = (store.used() - before) / (size - had)
    row = store.row_bytes(row_id)
    store.submit(names, size // 10)
    waiting = iter(store.submit(names, _STEPS))
    spans = [
        _span(lambda: store.client.submit("passport", _REQUEST, key=next(names))),
        _span(lambda: store.finish(next(waiting))),
        _span(store.parts.sweep.once),
        _span(lambda: store.client.newest(State.DONE, 20)),
    ]
    return (
        f"| {size:,} | {row} | {each:.0f} | " + " | ".join(f"{span:.2f}" for span in spans) + " |"
    )


def _span(step: Callable[[], object]) -> float:
    """Give the median time of a step, in ms."""
    spans = []
    for _ in range(_STEPS // 2):
        start = time.perf_counter()
        step()
        spans.append(time.perf_counter() - start)
    return sorted(spans)[len(spans) // 2] * 1000


def main() -> None:
    """Measure at each size, on one growing store."""
    options = argparse.ArgumentParser()
    options.add_argument("--sizes", default="1000,10000,100000")
    sizes = [int(size) for size in options.parse_args().sizes.split(",")]
    names = (str(number) for number in range(10**9))
    print(
        "| finished rows | bytes a row | bytes in all | submit ms | work ms | sweep ms | list ms |"
    )
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as place, EmbeddedServer(Path(place)) as server:
        store, had = Store(server.url), 0
        for size in sizes:
            print(measure(store, size, names, had), flush=True)
            had = size
    sys.stdout.flush()


if __name__ == "__main__":
    main()
