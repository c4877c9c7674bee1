"""A person who comes back doesn't wait behind the polls of people who left."""

from pathlib import Path

import pytest

from demo.local_stack import LocalStack
from demo.person import Person
from satyapan import State
from tests.support.eventually import eventually

LINKS = 80
LIMIT = 20
"""Status reads a minute: the polls of all links take four minutes of it."""
PATIENCE_S = 45


@pytest.mark.slow
def test_a_returning_person_is_done_although_many_links_were_left_open(tmp_path: Path) -> None:
    plenty = "digilocker=100000,digilocker_document=100000"
    with LocalStack(
        tmp_path,
        env={
            "SATYAPAN_QUOTA_PER_MINUTE": f"{plenty},digilocker_status={LIMIT}",
            "SATYAPAN_WORKER_POLL_MIN_S": "0.5",
            "SATYAPAN_WORKER_POLL_MAX_S": "2",
        },
        sandbox_args=[
            *("--quota", "digilocker=100000", "--quota", "digilocker_document=100000"),
            *("--quota", f"digilocker_status={LIMIT}"),
        ],
    ) as stack:
        producer = stack.verifications()
        items = [{"request": {"document_requested": ["PAN"]}, "key": f"k{n}"} for n in range(LINKS)]
        ids = [found.id for found in producer.submit_many("digilocker", items)]  # type: ignore[union-attr] # none is refused
        eventually(lambda: producer.counts()[State.PENDING] == LINKS)
        # Polls have begun: those of the first links, which were planned while few were open.
        eventually(lambda: status_calls(stack) >= 2)

        for person in (ids[LINKS // 2], ids[-1]):
            answer = stack.control(f"journeys/{person}", {"decision": "allow"})
            Person().open(str(answer["redirect_to"]))

            assert producer.wait(person, timeout=PATIENCE_S).state is State.DONE
        (quota,) = (
            each for each in stack.control("quota")["quota"] if each["route"] == "digilocker_status"
        )
        assert quota["refused"] == 0
        assert quota["peak"] <= LIMIT


def status_calls(stack: LocalStack) -> int:
    calls = stack.control("calls")["calls"]
    return sum(call["route"] == "digilocker_status" for call in calls)
