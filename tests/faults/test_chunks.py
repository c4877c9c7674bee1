"""A worker killed while it processes a message of many ids: each ends as if it were alone."""

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
        """List the rows whose answer only the killed worker had."""
        return [end for end in self.ends if end.reason == "lost_answer"]


def run_case(services: Services, point: str, pool: str, ended: list[Ended]) -> Iterator[None]:
    """Submit many in one message, kill the worker when some are done, let others continue."""
    name = f"chunk-{point}-{pool}"
    installation = Installation(
        services, name, SATYAPAN_WORKER_CONCURRENCY=str(CALLS), SATYAPAN_WORKER_POOL=pool
    )
    mark = services.folder / f"{name}.reached"
    mark.touch()  # the failpoint is enabled when this is gone
    worker = installation.start_worker(f"{point}:kill:{mark}")
    yield from until(partial(said, worker, "worker ready"), f"{name} is ready")
    history = submit(installation, [f"{name}-{number}" for number in range(MANY)])
    yield from until(
        lambda: installation.producer.counts()[State.DONE] >= CALLS, f"{name}: some are done"
    )
    mark.unlink()
    yield from until(mark.exists, f"{name} reaches the point")
    kill_group(worker)
    left = MANY - installation.producer.counts()[State.DONE]
    for _ in range(2):
        installation.start_worker()
    yield from until(lambda: settled(installation, history), f"{name} recovers", within=120)
    ended.append(verdict(services, installation, history, left))
    installation.end()


def submit(installation: Installation, ids: list[str]) -> History:
    """Submit them in one call; return the history of that."""
    items = [{"request": REQUEST, "verification_id": one} for one in ids]
    found = installation.producer.submit_many("passport", items)
    assert all(isinstance(one, Verification) for one in found)
    return History([Submit(one, "ok", json.dumps(REQUEST, sort_keys=True)) for one in ids])


def settled(installation: Installation, history: History) -> bool:
    """Read all of them; return True if all are settled. The history keeps the reads."""
    seen = [history.read(installation.producer, one) for one in history.accepted()]
    return all(one is not None and one.settled for one in seen)


def verdict(services: Services, installation: Installation, history: History, left: int) -> Ended:
    """Judge by the vendor's audit, the ledger, and the producer's reads and events."""
    history.listen(installation.producer)
    ids = history.accepted()
    audit = [
        e for e in services.audit() if str(e["verification_id"]).startswith(f"{installation.name}-")
    ]
    judged = judge(history, audit, rows_of(installation.producer, ids), least_done=0.5)
    ends = [seen for one in ids if (seen := installation.producer.get(one))]
    return Ended(installation.name, judged, left, ends)


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
        # Only the answers to the calls of the killed worker can be lost.
        assert len(found.lost_answers()) <= CALLS
        done = [end for end in found.ends if end.state is State.DONE]
        assert len(done) + len(found.lost_answers()) == MANY
