"""A ledger filled with rows: some by its own scripts, very many in batches."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.machine import settings
from config.settings import Settings, read_settings
from satyapan import State, Verification, Verifications
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.events import write_event
from satyapan.ids import derive_id, producer_key
from satyapan.ledger.rows import sealed_name
from satyapan.names import Keys
from satyapan.records import Row
from worker.build import Parts, build

REQUEST: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"}
ANSWER: Final = {
    "reference_id": "7083347",
    "status": "VALID",
    "file_number": "PA1079341954215",
    "name": "JOHN DOE",
    "dob": "2007-03-01",
    "application_type": "Tatkaal",
    "application_received_date": "2016-08-23",
}
_BATCH: Final = 500
_BULK: Final = 1000


class Store:
    """The ledger of one server, for a producer and for the parts of a worker."""

    def __init__(self, url: str, env: Mapping[str, str] | None = None) -> None:
        parsed: Settings = read_settings(env or settings(url, "http://127.0.0.1:1", {}))
        self._settings = parsed.producer
        self.parts: Parts = build(parsed, Waker(wake_app(parsed.producer)).wake)
        self.client = Verifications(parsed.producer)
        self.keys = Keys(parsed.producer.prefix)
        self.redis: Any = redis.Redis.from_url(url)
        self._names = map(str, range(10**9))
        self._fill = self.redis.register_script(Path(__file__).with_name("fill.lua").read_text())

    def submit(self, count: int) -> list[str]:
        """Submit `count` verifications in bulk; return their ids."""
        found: list[str] = []
        for start in range(0, count, _BULK):
            names = islice(self._names, min(_BULK, count - start))
            items = [{"request": REQUEST, "key": name} for name in names]
            done = self.client.submit_many("passport", items)
            found += [one.id for one in done if isinstance(one, Verification)]
        return found

    def submit_one(self) -> str:
        """Submit one verification; return its id."""
        return self.client.submit("passport", REQUEST, key=next(self._names)).id

    def finish(self, row_id: str) -> None:
        """End a verification as a worker does, but without a call."""
        ledger = self.parts.ledger
        claim = ledger.claim(row_id)
        if claim is None:
            raise RuntimeError(f"{row_id} could not be claimed")
        sent = replace(claim.row, state=State.SENT, attempts=1)
        sent = ledger.committing(claim.row, sent, (), claim.now, keep=True).now()
        ledger.committing(sent, _ended(sent), ("done",), claim.now, keep=False).now()

    def fill(self, count: int) -> str:
        """Add finished rows: one by the ledger's own scripts, the others as copies of it.

        Each row has its own id, sealed result and event, so that it can be read, decrypted and
        listed. Return the id of one of them.
        """
        (last,) = self.submit(1)
        self.finish(last)
        sample = self.parts.ledger.read(last)
        if sample is None:
            raise RuntimeError(f"{last} is gone")
        lot = self._rows(sample, count - 1)
        while batch := list(islice(lot, _BATCH)):
            self._write(sample, batch)
            last = batch[-1][0]
        return last

    def _rows(self, sample: Row, count: int) -> Iterator[tuple[str, bytes, bytes]]:
        key = producer_key(self._settings.id_key_bytes(), self._settings.reply_to)
        ring = self._settings.ring()
        for name in islice(self._names, count):
            one = replace(sample, id=derive_id(key, "passport", name))
            result = {"verification_id": one.id, **ANSWER}
            sealed = ring.seal_json(sealed_name(one.id, "result"), result)
            yield one.id, sealed, write_event(one, "done", one.updated)

    def _write(self, sample: Row, batch: list[tuple[str, bytes, bytes]]) -> None:
        index, stream = self.keys.index(State.DONE), self.keys.events(self._settings.reply_to)
        rows = [self.keys.row(each) for each, _, _ in batch]
        words = [word for one in batch for word in one]
        keys = [index, stream, self.keys.row(sample.id), *rows]
        self._fill(keys=keys, args=[sample.updated, *words])

    def make_due(self) -> int:
        """Make all waiting rows due now; return their number."""
        self.redis.zunionstore(self.keys.due, {self.keys.due: 0})
        return int(self.redis.zcard(self.keys.due))

    def used(self) -> int:
        """Return the bytes of memory that the server uses."""
        found: Any = self.redis.info("memory")
        return int(found["used_memory"])

    def row_bytes(self, row_id: str) -> int:
        """Return the bytes of one row."""
        return int(self.redis.memory_usage(self.keys.row(row_id), samples=0))

    def keep_file(self) -> None:
        """Prevent the server from rewriting its append-only file."""
        self.redis.config_set("auto-aof-rewrite-percentage", 0)


def _ended(row: Row) -> Row:
    done = replace(row, state=State.DONE, status="VALID", http=200, reference="7083347", due=0)
    return replace(done, result={"verification_id": row.id, **ANSWER}, request={}, deadline=0)
