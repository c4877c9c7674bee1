"""Recovery of paid calls whose answer is lost, late, cut off or about another verification."""

from dataclasses import replace
from typing import Any

import pytest

from satyapan import State
from satyapan.canonical import request_digest
from tests.conftest import Sandbox
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import VENDOR_ID_ALIAS_MS

LOSSES: list[dict[str, Any]] = [
    {"cut": "before_status"},
    {"cut": "in_headers"},
    {"cut": "in_body"},
    {"garbled": True},
    {"foreign_id": True},
    {"wrong_content_type": "text/html", "garbled": True},
    {"status": 500, "executed": True},
    {"status": 502, "executed": True},
    {"redirect": "/elsewhere", "executed": True},
]


def reissues(harness: Harness) -> dict[str, int]:
    """Read the counts of further vendor-side ids."""
    stored = harness.redis.hgetall(harness.parts.ledger.keys.reissues)
    return {name.decode(): int(count) for name, count in stored.items()}


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_lost_passport_answer_is_parked_and_paid_once(
    harness: Harness, loss: dict[str, Any]
) -> None:
    harness.vendor.post("faults", route="passport", **loss)

    ended = harness.settle(harness.submit("passport"))

    assert (ended.state, ended.reason) == (State.PARKED, "lost_answer")
    assert ended.generation == 1
    assert len(harness.vendor.charges("passport")) == 1
    assert harness.changes() == ["parked"]


@pytest.mark.parametrize("loss", [{"cut": "before_status", "executed": False}, {"status": 500}])
def test_a_passport_call_that_was_not_executed_is_repeated_and_paid_once(
    harness: Harness, loss: dict[str, Any]
) -> None:
    harness.vendor.post("faults", route="passport", **loss)

    ended = harness.settle(harness.submit("passport"))

    assert (ended.state, ended.status, ended.attempts) == (State.DONE, "VALID", 2)
    assert len(harness.vendor.charges("passport")) == 1


def test_a_refused_connection_spends_no_attempt(harness: Harness) -> None:
    row_id = harness.submit("passport")
    harness.vendor.post("faults", cut="refuse", seconds=1)

    first = harness.run_once(row_id)
    ended = harness.settle(row_id)

    assert (first.state, first.attempts) == (State.ACCEPTED, 0)
    assert (ended.state, ended.attempts) == (State.DONE, 1)


def test_a_lost_answer_is_bought_again_only_when_the_setting_says_so(
    redis_url: str, sandbox: Any
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_LOST_ANSWER="passport=reissue")
    harness.vendor.post("faults", route="passport", cut="in_body")

    ended = harness.settle(harness.submit("passport"))

    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert ended.result is not None
    assert ended.result["verification_id"] == f"{ended.id}.g2"
    assert len(harness.vendor.charges("passport")) == 2
    assert harness.changes() == ["reissued", "done"]


def test_a_lost_digilocker_link_goes_on_under_a_recorded_generation(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.vendor.post("faults", route="digilocker", cut="in_body")

    found = harness.run_once(row_id)
    while found.state is not State.PENDING:
        found = harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}.g2", decision="allow")
    ended = harness.settle(row_id)

    assert found.link
    assert (ended.state, ended.generation) == (State.DONE, 2)
    record = harness.row(row_id).generations[0]
    assert record.startswith("2 lost_link ")
    assert record.endswith(f" maybe_paid {row_id}.g2")
    assert len(harness.vendor.charges("digilocker")) == 2
    assert reissues(harness) == {"digilocker maybe_paid": 1}
    assert harness.changes() == ["reissued", "link_ready", "done"]
    ledger = harness.parts.ledger
    ends = harness.redis.pttl(ledger.keys.alias(f"{row_id}.g2"))
    assert 0 < ends <= VENDOR_ID_ALIAS_MS


def test_a_lost_digilocker_link_is_parked_and_paid_once_if_the_setting_says_so(
    redis_url: str, sandbox: Sandbox
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_LOST_ANSWER="digilocker=park")
    harness.vendor.post("faults", route="digilocker", cut="in_body")

    ended = harness.settle(harness.submit("digilocker"))

    assert (ended.state, ended.reason, ended.generation) == (State.PARKED, "lost_link", 1)
    assert len(harness.vendor.charges("digilocker")) == 1
    assert reissues(harness) == {}


def test_lost_digilocker_links_are_bought_again_at_most_as_often_as_the_setting_says(
    redis_url: str, sandbox: Sandbox
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_MAX_GENERATIONS="2")
    harness.vendor.post("faults", route="digilocker", cut="in_body", times=None)

    ended = harness.settle(harness.submit("digilocker"))

    assert (ended.state, ended.reason) == (State.PARKED, "lost_link/generations_spent")
    assert len(harness.vendor.charges("digilocker")) == 2
    assert reissues(harness) == {"digilocker maybe_paid": 1}


def test_a_digilocker_create_that_never_arrived_is_sent_again_with_the_same_id(
    harness: Harness,
) -> None:
    row_id = harness.submit("digilocker")
    harness.vendor.post("faults", route="digilocker", cut="before_status", executed=False)

    found = harness.run_once(row_id)
    while found.state is not State.PENDING:
        found = harness.run_once(row_id)

    assert (found.generation, found.attempts) == (1, 2)
    assert len(harness.vendor.charges("digilocker")) == 1


@pytest.mark.parametrize("loss", LOSSES[:4], ids=str)
def test_a_lost_static_link_is_parked_and_others_wait(
    harness: Harness, loss: dict[str, Any]
) -> None:
    harness.vendor.post("faults", route="static_link", **loss)
    first, second = harness.submit("static_kyc_link", "a"), harness.submit("static_kyc_link", "b")

    lost, waits = harness.run_once(first), harness.run_once(second)

    assert lost.state is State.PARKED
    assert (waits.state, waits.reason) == (State.ACCEPTED, "resource_parked")
    assert len(harness.vendor.charges("static_link")) == 1


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("passport", State.DONE, ""),
        ("digilocker", State.PENDING, ""),
        ("static_kyc_link", State.PARKED, "unknown_outcome/worker_lost"),
    ],
)
def test_a_row_whose_worker_died_between_sent_and_the_call_is_recovered(
    redis_url: str, sandbox: Any, kind: str, state: State, reason: str
) -> None:
    harness = Harness(redis_url, sandbox.root)
    row_id = harness.submit(kind)
    _die_after_sent(harness, row_id)

    found = harness.run_once(row_id)
    while found.state is State.UNKNOWN:
        found = harness.run_once(row_id)

    assert (found.state, found.reason) == (state, reason)


def _die_after_sent(harness: Harness, row_id: str) -> None:
    """Leave the row as a worker leaves it that is killed between SENT and the call."""
    ledger = harness.parts.ledger
    claim = ledger.claim(row_id)
    assert claim is not None
    sent = replace(claim.row, state=State.SENT, attempts=1)
    if claim.row.kind == "static_kyc_link":
        key = harness.settings.producer.id_key_bytes()
        name = request_digest(key, claim.row.kind, claim.row.request)
        ledger.acquire(name, "", claim.row)
    ledger.committing(claim.row, sent, (), claim.now, keep=True).now()
    row_key = ledger.keys.row(row_id)
    harness.redis.hset(row_key, "lease", 1)


def test_documents_that_are_not_ready_are_fetched_again(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", decision="allow", document_202=2)

    ended = harness.settle(row_id)

    assert ended.state is State.DONE
    assert ended.result is not None
    assert set(ended.result["documents"]) == {"AADHAAR", "PAN"}


@pytest.mark.parametrize(
    ("person", "state", "documents"),
    [
        ({"decision": "allow", "documents": ["PAN"]}, State.DONE, {"PAN"}),
        ({"decision": "allow", "documents": []}, State.DONE, set()),
        ({"decision": "deny"}, State.DENIED, set()),
    ],
)
def test_the_persons_decision_determines_the_state_and_the_documents(
    harness: Harness, person: dict[str, Any], state: State, documents: set[str]
) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", **person)

    ended = harness.settle(row_id)

    assert ended.state is state
    assert set((ended.result or {}).get("documents", {})) == documents
    assert harness.changes()[-1] == state.lower()
    assert len(harness.changes("again")) == 2


def test_a_failed_journey_is_known_only_from_its_webhook(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", decision="fail")
    harness.parts.ledger.hint(row_id, "FAILED", asked=True)

    ended = harness.settle(row_id)

    assert (ended.state, ended.reason) == (State.FAILED, "webhook/failed")


def test_a_person_who_does_nothing_lets_the_link_expire(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post("clock", advance_s=601)

    assert harness.settle(row_id).state is State.EXPIRED


def test_a_consent_that_expired_before_the_fetch_fails_with_the_vendors_code(
    harness: Harness,
) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", decision="allow", documents=["PAN"], document_202=1)
    eventually(lambda: harness.run_once(row_id).settled or harness.row(row_id).todo)
    harness.vendor.post("clock", advance_s=3601)

    ended = harness.settle(row_id)

    assert (ended.state, ended.reason) == (State.FAILED, "session_expired")


def test_a_journey_works_without_a_return_address(redis_url: str, sandbox: Sandbox) -> None:
    hooks = ("SATYAPAN_CALLBACKS_PUBLIC_URL", "SATYAPAN_CALLBACKS_TOKEN_KEYS")
    harness = Harness(redis_url, sandbox.root, **dict.fromkeys(hooks, ""))

    row_id = harness.submit("digilocker")
    begun = harness.run_once(row_id)

    assert (begun.state, bool(begun.link)) == (State.PENDING, True)
    assert harness.row(row_id).ambiguous == 0


def test_a_status_with_another_journeys_reference_is_not_used(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    begun = harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", decision="allow")
    harness.vendor.post("faults", route="digilocker_status", foreign_id="reference_id")

    eventually(lambda: harness.run_once(row_id).reason == "foreign_id")
    ended = harness.settle(row_id)

    assert (ended.state, ended.reference) == (State.DONE, begun.reference)


def test_a_link_for_another_template_is_not_returned(harness: Harness) -> None:
    harness.vendor.post("faults", route="static_link", foreign_id=True)

    ended = harness.settle(harness.submit("static_kyc_link"))

    assert (ended.state, ended.reason) == (State.PARKED, "unknown_outcome/foreign_id")
    assert not ended.link
