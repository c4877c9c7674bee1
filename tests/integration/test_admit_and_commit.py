"""Before a paid call, a quota slot and a durable SENT are written together or not at all."""

from dataclasses import replace

import pytest

from satyapan import State
from satyapan.records import Row
from satyapan.redis.script_calls import ScriptCall
from tests.support.worker_harness import Harness
from worker.admission.limiter import Admitted, NotYet
from worker.ledger.work_ledger import StaleFence
from worker.rules.lane import Lane

ROUTE = "passport"


def claimed(harness: Harness, key: str) -> Row:
    claim = harness.parts.ledger.claim(harness.submit("passport", key=key))
    assert claim is not None
    return claim.row


def admission(
    harness: Harness, row: Row, limit: int = 1
) -> ScriptCall[NotYet | tuple[Admitted, Row]]:
    sent = replace(row, state=State.SENT, attempts=1)
    commit = harness.parts.ledger.committing(row, sent, (), 0, keep=True)
    return harness.parts.admission.limiter.admit_and_commit(sent, ROUTE, limit, Lane.NORMAL, commit)


def slots(harness: Harness) -> int:
    ledger = harness.parts.ledger
    return int(harness.redis.zcard(ledger.keys.slots("main", ROUTE)))


def test_an_admitted_row_takes_a_slot_and_is_sent(harness: Harness) -> None:
    row = claimed(harness, "a")

    answer = admission(harness, row).now()

    assert answer == (Admitted(1), replace(row, state=State.SENT, attempts=1))
    assert (harness.row(row.id).state, harness.row(row.id).attempts) == (State.SENT, 1)
    assert harness.row(row.id).lease >= row.lease
    assert slots(harness) == 1


def test_a_row_that_is_not_admitted_is_not_sent(harness: Harness) -> None:
    admission(harness, claimed(harness, "first")).now()
    row = claimed(harness, "a")

    answer = admission(harness, row).now()

    assert isinstance(answer, NotYet)
    assert answer.reason == "quota"
    assert harness.row(row.id) == replace(row, updated=harness.row(row.id).updated)
    assert slots(harness) == 1


def test_a_row_whose_claim_was_lost_takes_no_slot_and_is_not_written(harness: Harness) -> None:
    row = claimed(harness, "a")
    stale = replace(row, fence=row.fence - 1)

    with pytest.raises(StaleFence):
        admission(harness, stale).now()

    assert harness.row(row.id).state is State.CLAIMED
    assert slots(harness) == 0


def test_a_released_claim_takes_no_slot(harness: Harness) -> None:
    row, ledger = claimed(harness, "a"), harness.parts.ledger
    ledger.committing(row, row, (), 0, keep=False).now()

    with pytest.raises(StaleFence):
        admission(harness, row).now()

    assert slots(harness) == 0
