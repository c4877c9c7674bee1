"""Operators' actions: redrive, reissue, forget, retire, replay, and when each is refused."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from satyapan import State
from satyapan.ids import link_alias
from satyapan.names import INGEST, RUN
from satyapan.records import Row
from shared.inbox.stored_webhook import WebhookState
from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import AuditEntry, Claim
from worker.operator.actions import OperatorActions
from worker.rules.person import ActionRefused


def operator(harness: Harness, *, dry: bool = False) -> OperatorActions:
    return OperatorActions(
        ledger=harness.parts.ledger,
        inbox=harness.parts.ingest._inbox,
        kinds=harness.parts.kinds,
        policy=harness.parts.policy,
        wake=harness.wake,
        by="asha",
        dry=dry,
    )


def park_lost(harness: Harness, kind: str = "passport", **fault: Any) -> str:
    """Park a verification whose paid answer was lost; return its id."""
    route = {"passport": "passport", "static_kyc_link": "static_link"}[kind]
    row_id = harness.submit(kind)
    harness.vendor.post("faults", route=route, **(fault or {"cut": "in_body"}))
    assert harness.settle(row_id).state is State.PARKED
    return row_id


def park_exhausted(harness: Harness) -> str:
    """Park a passport for which every attempt failed at the vendor; return its id."""
    row_id = harness.submit("passport")
    harness.vendor.post("faults", route="passport", status=500, times=40)
    ended = harness.settle(row_id, hurried=True)
    assert (ended.reason, ended.attempts) == ("unknown_outcome", 40)
    return row_id


def test_a_redriven_row_goes_on_with_the_same_id_and_is_paid_once(harness: Harness) -> None:
    row_id = park_exhausted(harness)

    operator(harness).redrive(row_id)
    ended = harness.settle(row_id)

    assert (ended.state, ended.generation) == (State.DONE, 1)
    assert len(harness.vendor.charges("passport")) == 1
    assert harness.changes() == ["parked", "redriven", "done"]
    assert harness.woken[-1] == (RUN, (row_id,))


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_a_row_that_may_have_been_paid_for_is_not_redriven(harness: Harness, kind: str) -> None:
    row_id = park_lost(harness, kind)
    before = harness.row(row_id)

    with pytest.raises(ActionRefused, match="reissue"):
        operator(harness).redrive(row_id)

    assert harness.row(row_id) == before
    assert list(harness.parts.ledger.audit_log(10)) == []


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_an_answer_with_an_unknown_status_is_used_once_the_status_is_known(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    status_map = harness.parts.kinds[kind].operation("cashfree").status_map
    with monkeypatch.context() as older:
        for status in list(status_map):
            older.delitem(cast("dict[str, State]", status_map), status)
        row_id = harness.submit(kind)
        assert harness.settle(row_id).reason == "unknown_status"
        operator(harness).redrive(row_id)
        assert harness.settle(row_id).reason == "unknown_status"

    operator(harness).redrive(row_id)
    ended = harness.settle(row_id)

    assert (ended.state, bool(ended.result)) == (State.DONE, True)
    assert len(harness.vendor.charges()) == 1
    if ended.link:
        link = link_alias(harness.settings.producer.id_key_bytes(), ended.link)
        assert harness.parts.ledger.behind(link) == row_id


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_a_reissue_is_recorded_published_and_paid_once_more(harness: Harness, kind: str) -> None:
    row_id = park_lost(harness, kind)

    operator(harness).reissue(row_id)
    ended = harness.settle(row_id)

    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert "by_asha" in harness.row(row_id).generations[0]
    assert harness.changes() == ["parked", "reissued", "done"]
    assert len([c for c in harness.vendor.charges() if c["charge"] != "document"]) == 2
    assert next(harness.parts.ledger.audit_log(1))[1].by == "asha"


def test_reissues_are_capped(harness: Harness) -> None:
    row_id = park_lost(harness)
    harness.vendor.post("faults", route="passport", cut="in_body", times=1)
    operator(harness).reissue(row_id)
    harness.settle(row_id)
    harness.vendor.post("faults", route="passport", cut="in_body", times=1)
    operator(harness).reissue(row_id)
    harness.settle(row_id)

    with pytest.raises(ActionRefused, match="3 generations"):
        operator(harness).reissue(row_id)

    assert len(harness.vendor.charges("passport")) == 3


@pytest.mark.parametrize("verb", ["redrive", "reissue"])
def test_only_parked_rows_can_be_redriven_or_reissued(harness: Harness, verb: str) -> None:
    done, fresh = harness.submit("passport"), harness.submit("passport", "other")
    harness.settle(done)

    for row_id in (done, fresh, "nobody"):
        with pytest.raises(ActionRefused):
            getattr(operator(harness), verb)(row_id)

    assert len(harness.vendor.charges()) == 1


@pytest.mark.parametrize("verb", ["redrive", "reissue"])
def test_a_dry_run_decides_and_writes_nothing(harness: Harness, verb: str) -> None:
    row_id = park_exhausted(harness)
    before = harness.row(row_id)

    entry = getattr(operator(harness, dry=True), verb)(row_id)

    assert entry.id == row_id
    assert harness.row(row_id) == before
    assert list(harness.parts.ledger.audit_log(10)) == []


def test_two_operators_at_once_reissue_once(harness: Harness) -> None:
    row_id = park_lost(harness)
    first = operator(harness)
    claim = first.ledger.claim(row_id, parked=True)

    with pytest.raises(ActionRefused, match="somebody else"):
        operator(harness).reissue(row_id)

    assert claim is not None
    assert harness.row(row_id).generation == 1


def test_an_operator_whose_claim_was_taken_over_gets_an_error_and_changes_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = park_lost(harness)
    late = operator(harness)
    claim = OperatorActions._claim

    def slow(self: OperatorActions, row: Row) -> Claim:
        own = claim(self, row)
        redis = harness.redis
        redis.hdel(late.ledger.keys.row(row.id), "lease")  # its lease has ended
        assert operator(harness).ledger.claim(row.id, parked=True) is not None
        return own

    monkeypatch.setattr(OperatorActions, "_claim", slow)

    with pytest.raises(ActionRefused, match="taken by somebody else"):
        late.reissue(row_id)

    assert harness.row(row_id).generation == 1
    assert harness.row(row_id).state is State.PARKED


def test_forget_shreds_private_data_and_keeps_the_id(harness: Harness) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)
    actions = operator(harness)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    actions.inbox.store("webhook", "cashfree", "X", body, row_id)
    actions.inbox.finish("webhook", WebhookState.HANDLED, row_id)

    actions.forget(row_id)

    after = harness.row(row_id)
    assert (after.state, after.result, after.request) == (State.DONE, None, {})
    assert actions.inbox.read("webhook") is None
    assert (
        harness.verifications.submit("passport", harness.example("passport"), key="k").id == row_id
    )
    assert len(harness.vendor.charges()) == 1


def record_visit(harness: Harness, link: str, visitor: str = "cf-77") -> str:
    """Process the webhook of a visitor of a shared link; return the id of the visit."""
    data = {"verification_id": visitor, "form_link": link, "name": "JOHN DOE"}
    body = json.dumps({"data": data}).encode()
    operator(harness).inbox.store(visitor, "cashfree", "KYC_LINK_SUCCESS", body, visitor)
    harness.parts.ingest.take(visitor)
    return list(harness.verifications.events("visits", block=0.01))[-1].verification_id


def test_a_visitors_data_is_forgotten_with_the_visit(harness: Harness) -> None:
    owner = harness.settle(harness.submit("static_kyc_link", "first"))
    visit, other = record_visit(harness, owner.link), record_visit(harness, owner.link, "cf-78")

    entry = operator(harness).forget(visit)

    assert (entry.outcome, harness.row(visit).result) == ("1 webhooks", None)
    assert operator(harness).inbox.read("cf-77") is None
    assert operator(harness).inbox.read("cf-78") is not None
    assert harness.row(other).result


def test_a_parked_row_that_is_forgotten_ends(harness: Harness) -> None:
    row_id = park_lost(harness)

    operator(harness).forget(row_id)

    after = harness.row(row_id)
    assert (after.state, after.reason) == (State.FAILED, "forgotten/lost_answer")
    assert (after.request, after.result) == ({}, None)
    with pytest.raises(ActionRefused):
        operator(harness).reissue(row_id)


def test_an_open_row_and_the_owner_of_a_shared_link_are_not_forgotten(harness: Harness) -> None:
    fresh = harness.submit("passport")
    owner = harness.submit("static_kyc_link")
    harness.settle(owner)

    for row_id in (fresh, owner):
        with pytest.raises(ActionRefused):
            operator(harness).forget(row_id)

    assert harness.row(fresh).request


def test_a_retired_link_is_not_reused_and_the_next_is_bought_once(harness: Harness) -> None:
    harness.settle(harness.submit("static_kyc_link", "owner"))
    old = harness.settle(harness.submit("static_kyc_link", "copy"))

    entry = operator(harness).retire(old.id)
    new = harness.settle(harness.submit("static_kyc_link", "later"))
    same = harness.settle(harness.submit("static_kyc_link", "too"))

    assert old.link != new.link == same.link
    assert harness.read(old.id) == old
    assert len(harness.vendor.charges()) == 2
    assert next(harness.parts.ledger.audit_log(1))[1] == AuditEntry(
        "retire", harness.read(entry.id).id, "asha", entry.outcome
    )
    for link in (old.link, new.link):
        assert harness.row(record_visit(harness, link, f"cf-{link[-4:]}")).result


def test_only_a_shared_link_that_is_not_yet_retired_can_be_retired(harness: Harness) -> None:
    passport, waiting = harness.submit("passport"), harness.submit("static_kyc_link")
    harness.settle(passport)
    with pytest.raises(ActionRefused, match="no shared link"):
        operator(harness).retire(waiting)
    harness.settle(waiting)
    visit = record_visit(harness, harness.read(waiting).link)

    for row_id in (passport, visit):
        with pytest.raises(ActionRefused, match="no shared link"):
            operator(harness).retire(row_id)
    operator(harness, dry=True).retire(waiting)
    operator(harness).retire(waiting)
    for _ in range(2):
        with pytest.raises(ActionRefused, match="already"):
            operator(harness).retire(waiting)
        harness.settle(harness.submit("static_kyc_link", "next"))

    assert [entry.verb for _, entry in harness.parts.ledger.audit_log(9)] == ["retire"]
    assert len(harness.vendor.charges("static_link")) == 2


def test_a_stored_webhook_is_replayed(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    actions = operator(harness)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    actions.inbox.store("webhook", "cashfree", "DIGILOCKER_VERIFICATION_FAILURE", body)
    actions.inbox.finish("webhook", WebhookState.UNMATCHED)

    actions.replay("webhook")
    harness.parts.ingest.take("webhook")

    webhook = actions.inbox.read("webhook")
    assert webhook is not None
    assert webhook.state is WebhookState.HANDLED
    assert harness.row(row_id).evidence == "FAILED"
    assert (INGEST, ("webhook",)) in harness.woken
    with pytest.raises(ActionRefused):
        actions.replay("nothing")


def test_an_operators_claim_ends_with_its_lease(harness: Harness) -> None:
    row_id = park_lost(harness)
    ledger = harness.parts.ledger
    ledger.claim(row_id, parked=True)

    harness.redis.hset(ledger.keys.row(row_id), "lease", 1)

    assert ledger.claim(row_id) is None
    assert replace(harness.row(row_id), lease=0).state is State.PARKED
