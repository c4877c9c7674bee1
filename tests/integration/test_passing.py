"""The step before a paid call: a slot of the quota and a durable SENT, both or neither."""

from dataclasses import replace

import pytest

from satyapan import State
from satyapan.asking import Ask
from satyapan.records import Row
from tests.support.workbench import Workbench
from worker.admission.admission import Go, Wait
from worker.ledger.work_ledger import StaleFence
from worker.rules.lane import Lane

ROUTE = "passport"


def claimed(bench: Workbench, key: str) -> Row:
    claim = bench.parts.ledger.claim(bench.submit("passport", key=key))
    assert claim is not None
    return claim.row


def passing(bench: Workbench, row: Row, limit: int = 1) -> Ask[Wait | tuple[Go, Row]]:
    sent = replace(row, state=State.SENT, attempts=1)
    commit = bench.parts.ledger.committing(row, sent, (), 0, keep=True, alias="")
    return bench.parts.gate.passing(sent, ROUTE, limit, Lane.NORMAL, commit)


def slots(bench: Workbench) -> int:
    ledger = bench.parts.ledger
    return int(bench.redis.zcard(ledger.keys.slots("main", ROUTE)))


def test_who_may_go_has_a_slot_and_is_sent(bench: Workbench) -> None:
    row = claimed(bench, "a")

    passed = passing(bench, row).now()

    assert passed == (Go(1), replace(row, state=State.SENT, attempts=1))
    assert (bench.row(row.id).state, bench.row(row.id).attempts) == (State.SENT, 1)
    assert bench.row(row.id).lease >= row.lease
    assert slots(bench) == 1


def test_who_has_to_wait_is_not_sent(bench: Workbench) -> None:
    passing(bench, claimed(bench, "first")).now()
    row = claimed(bench, "a")

    passed = passing(bench, row).now()

    assert isinstance(passed, Wait)
    assert passed.reason == "quota"
    assert bench.row(row.id) == replace(row, updated=bench.row(row.id).updated)
    assert slots(bench) == 1


def test_who_lost_its_claim_takes_no_slot_and_writes_nothing(bench: Workbench) -> None:
    row = claimed(bench, "a")
    stale = replace(row, fence=row.fence - 1)

    with pytest.raises(StaleFence):
        passing(bench, stale).now()

    assert bench.row(row.id).state is State.CLAIMED
    assert slots(bench) == 0


def test_a_claim_that_was_given_back_takes_no_slot(bench: Workbench) -> None:
    row, ledger = claimed(bench, "a"), bench.parts.ledger
    ledger.commit(row, row, (), 0, keep=False, alias="")

    with pytest.raises(StaleFence):
        passing(bench, row).now()

    assert slots(bench) == 0
