"""The ledger's methods for operators and for retention, with a real server."""

import pytest
import redis

from satyapan import State, Unavailable
from satyapan.ledger.ledger import Ledger
from satyapan.ledger.rows import SEALED
from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import AuditEntry, WorkLedger, resource_of


@pytest.fixture
def ledger(harness: Harness) -> WorkLedger:
    return harness.parts.ledger


def test_private_fields_are_shredded_and_a_rewrite_is_requested(
    harness: Harness, ledger: WorkLedger
) -> None:
    one, other = (harness.settle(harness.submit("passport", key)).id for key in ("one", "other"))

    ledger.forget_private(harness.row(one))

    left = {raw.decode() for raw in harness.redis.hkeys(ledger.keys.row(one))}
    assert "state" in left
    assert not left & SEALED
    assert harness.read(other).result
    assert harness.redis.zcard(ledger.keys.rewrite_wanted) == 1


def test_a_shared_resource_is_released_by_its_owner_only(
    harness: Harness, ledger: WorkLedger
) -> None:
    owner = harness.settle(harness.submit("static_kyc_link")).id
    resource = resource_of(harness.row(owner))

    assert ledger.owner_of(resource) == owner
    assert not ledger.release(resource, "somebody-else")
    assert ledger.owner_of(resource) == owner
    assert ledger.release(resource, owner)
    assert ledger.owner_of(resource) == ""
    assert not ledger.release(resource, owner)


def test_actions_are_read_newest_first_with_their_time(ledger: WorkLedger) -> None:
    before = ledger.now()
    actions = [AuditEntry("redrive", f"k{number}", "asha", "generation 1") for number in range(3)]
    for action in actions:
        ledger.record_action(action)

    read = list(ledger.audit_log(2))

    assert [action for _, action in read] == [actions[2], actions[1]]
    assert all(before <= at <= ledger.now() for at, _ in read)


def test_parked_rows_are_listed_longest_parked_first(harness: Harness, ledger: WorkLedger) -> None:
    index, now = ledger.keys.index(State.PARKED), ledger.now()
    harness.redis.zadd(index, {"young": now, "old": now - 120_000, "oldest": now - 180_000})

    assert ledger.parked_for(60_000, 9) == ["oldest", "old"]
    assert ledger.parked_for(60_000, 1) == ["oldest"]


def test_the_ledgers_time_is_the_servers(harness: Harness, ledger: WorkLedger) -> None:
    def server_ms() -> int:
        seconds, micros = harness.redis.time()
        return int(seconds * 1000 + micros // 1000)

    before = server_ms()
    assert before <= ledger.now() <= server_ms()


def test_without_a_server_the_time_is_unavailable(ledger: WorkLedger) -> None:
    with redis.Redis(port=1) as absent, pytest.raises(Unavailable):
        Ledger(absent, ledger.keys, ledger.ring).now()
