"""One row, one vendor call and one answer, even with parallel submits and killed workers."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from demo.local_stack import LocalStack
from satyapan import Conflict, State, Verification, Verifications, linked

REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
SEED = random.SystemRandom().randrange(2**32)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    slow = ["--latency-ms", "60", "--quota", "passport=1000"]
    quota = {"SATYAPAN_QUOTA_PER_MINUTE": "passport=1000"}
    with LocalStack(tmp_path, workers=2, env=quota, sandbox_args=slow) as running:
        yield running


def submit_ten(env: Mapping[str, str]) -> list[str]:
    """Submit the same verification ten times; this runs in a process of its own."""
    verifications = Verifications.from_env(env)
    return [verifications.submit("passport", REQUEST, key="same").id for _ in range(10)]


def test_fifty_submits_at_once_are_one_verification(stack: LocalStack) -> None:
    with ProcessPoolExecutor(5, mp_context=get_context("spawn")) as pool:
        ids = [one for ten in pool.map(submit_ten, [stack.env] * 5) for one in ten]

    verifications = stack.verifications()
    answers = [verifications.wait(one) for one in ids]

    assert len(ids) == 50
    assert len(set(ids)) == 1
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].state is State.DONE
    assert len(stack.control("audit")["audit"]) == 1
    assert len(stack.control("calls")["calls"]) == 1
    with pytest.raises(Conflict):
        verifications.submit("passport", {**REQUEST, "dob": "2007-03-02"}, key="same")


def test_workers_killed_at_any_moment_lose_nothing_and_pay_once(stack: LocalStack) -> None:
    rng = random.Random(SEED)
    verifications = stack.verifications()
    ids = [verifications.submit("passport", REQUEST, key=f"kill-{SEED}-{n}").id for n in range(60)]
    journey = verifications.submit("digilocker", {"document_requested": ["PAN"]}, key="journey")

    for name in ("worker-1", "worker-2", "worker-1", "worker-2"):
        time.sleep(rng.uniform(0.1, 0.5))
        stack.restart_worker(name)
    journey_with_link = verifications.wait(journey.id, 60, until=linked)
    stack.control(f"journeys/{vendor_id(journey_with_link)}", {"decision": "allow"})
    ends = [verifications.wait(one, 60) for one in [*ids, journey.id]]

    charges = Counter(e["verification_id"] for e in stack.control("audit")["audit"])
    assert all(end.settled for end in ends), f"seed {SEED}"
    assert {charges[one] for one in ids} == {1}, f"seed {SEED}"
    # Answers that a killed worker had not stored are lost; only their rows may be parked.
    parked = [end for end in ends if end.state is State.PARKED]
    assert all(end.reason == "lost_answer" for end in parked), f"seed {SEED}"
    assert len(parked) <= 4 * stack.settings.worker.concurrency, f"seed {SEED}"
    assert ends[-1].state is State.DONE


def vendor_id(verification: Verification) -> str:
    """Return the vendor-side id of a journey; after a lost link it is a new one."""
    suffix = f".g{verification.generation}" if verification.generation > 1 else ""
    return verification.id + suffix
