"""A worker killed in the middle of a message of many: each of them ends as if it had come alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from satyapan import State, Verification
from satyapan.failpoints import Failpoint
from tests.support.failpoint_cases import interleave
from tests.support.history import History, Submit, Verdict, judge, rows_of
from tests.support.installation import Installation, Services, kill_group, said, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
MANY, CALLS = 40, 8
THREADS = [
    (point, "threads")
    for point in (Failpoint.POPPED, Failpoint.DELIVERED, Failpoint.CLAIMED, Failpoint.SENT)
]
CASES = [
    *THREADS,
    (Failpoint.ANSWERED, "threads"),
    (Failpoint.COMMITTED, "threads"),
    (Failpoint.SENT, "prefork"),
]


@dataclass(frozen=True)
class Ended:
    """How a case ended."""

    name: str
    verdict: Verdict
    open_at_kill: int
    ends: list[Verification]

    def lost_answers(self) -> list[Verification]:
        """List what the killed worker alone knew."""
        return [end for end in self.ends if end.reason == "lost_answer"]


def run_case(services: Services, point: str, pool: str, ended: list[Ended]) -> Iterator[None]:
    """Submit many in one message, kill the worker when some are done, let others go on."""
    name = f"chunk-{point}-{pool}"
    place = Installation(
        services, name, SATYAPAN_WORKER_CONCURRENCY=str(CALLS), SATYAPAN_WORKER_POOL=pool
    )
    mark = services.folder / f"{name}.reached"
    mark.touch()  # the failpoint is enabled when this is gone
    worker = place.start_worker(f"{point}:kill:{mark}")
    yield from until(partial(said, worker, "worker ready"), f"{name} is ready")
    history = submit(place, [f"{name}-{number}" for number in range(MANY)])
    yield from until(lambda: place.producer.counts()[State.DONE] >= CALLS, f"{name}: some are done")
    mark.unlink()
    yield from until(mark.exists, f"{name} reaches the point")
    kill_group(worker)
    left = MANY - place.producer.counts()[State.DONE]
    for _ in range(2):
        place.start_worker()
    yield from until(lambda: settled(place, history), f"{name} recovers", within=120)
    ended.append(verdict(services, place, history, left))
    place.end()


def submit(place: Installation, ids: list[str]) -> History:
    """Submit them together, and note it."""
    items = [{"request": REQUEST, "verification_id": one} for one in ids]
    found = place.producer.submit_many("passport", items)
    assert all(isinstance(one, Verification) for one in found)
    return History([Submit(one, "ok", json.dumps(REQUEST, sort_keys=True)) for one in ids])


def settled(place: Installation, history: History) -> bool:
    """Read what must not change again; tell whether that is all."""
    seen = [history.read(place.producer, one) for one in history.accepted()]
    return all(one is not None and one.settled for one in seen)


def verdict(services: Services, place: Installation, history: History, left: int) -> Ended:
    """Judge by the vendor's audit, the ledger, and what the producer was told."""
    history.listen(place.producer)
    ids = history.accepted()
    audit = [e for e in services.audit() if str(e["verification_id"]).startswith(f"{place.name}-")]
    judged = judge(history, audit, rows_of(place.producer, ids), least_done=0.5)
    ends = [seen for one in ids if (seen := place.producer.get(one))]
    return Ended(place.name, judged, left, ends)


def test_a_worker_killed_in_the_middle_of_a_chunk_loses_nothing_and_pays_once(
    tmp_path: Path,
) -> None:
    ended: list[Ended] = []

    with Services(tmp_path, sandbox_args=("--latency-ms", "800")) as services:
        interleave([run_case(services, *case, ended) for case in CASES], 4)

    assert [f"{e.name}: {e.verdict}" for e in ended if not e.verdict.good] == []
    assert len(ended) == len(CASES)
    for found in ended:
        assert 0 < found.open_at_kill < MANY
        # Each of its calls may have been answered; no other answer can be lost with it.
        assert len(found.lost_answers()) <= CALLS
        done = [end for end in found.ends if end.state is State.DONE]
        assert len(done) + len(found.lost_answers()) == MANY
