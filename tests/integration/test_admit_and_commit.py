"""The step before a paid call: a slot of the quota and a durable SENT, both or neither."""

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
    commit = harness.parts.ledger.committing(row, sent, (), 0, keep=True, alias="")
    return harness.parts.admission.limiter.admit_and_commit(sent, ROUTE, limit, Lane.NORMAL, commit)


def slots(harness: Harness) -> int:
    ledger = harness.parts.ledger
    return int(harness.redis.zcard(ledger.keys.slots("main", ROUTE)))


def test_who_may_go_has_a_slot_and_is_sent(harness: Harness) -> None:
    row = claimed(harness, "a")

    passed = admission(harness, row).now()

    assert passed == (Admitted(1), replace(row, state=State.SENT, attempts=1))
    assert (harness.row(row.id).state, harness.row(row.id).attempts) == (State.SENT, 1)
    assert harness.row(row.id).lease >= row.lease
    assert slots(harness) == 1


def test_who_has_to_wait_is_not_sent(harness: Harness) -> None:
    admission(harness, claimed(harness, "first")).now()
    row = claimed(harness, "a")

    passed = admission(harness, row).now()

    assert isinstance(passed, NotYet)
    assert passed.reason == "quota"
    assert harness.row(row.id) == replace(row, updated=harness.row(row.id).updated)
    assert slots(harness) == 1


def test_who_lost_its_claim_takes_no_slot_and_writes_nothing(harness: Harness) -> None:
    row = claimed(harness, "a")
    stale = replace(row, fence=row.fence - 1)

    with pytest.raises(StaleFence):
        admission(harness, stale).now()

    assert harness.row(row.id).state is State.CLAIMED
    assert slots(harness) == 0


def test_a_claim_that_was_given_back_takes_no_slot(harness: Harness) -> None:
    row, ledger = claimed(harness, "a"), harness.parts.ledger
    ledger.committing(row, row, (), 0, keep=False, alias="").now()

    with pytest.raises(StaleFence):
        admission(harness, row).now()

    assert slots(harness) == 0
