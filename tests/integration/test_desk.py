"""What a person may do by hand: with the same id, under a new one, or not at all."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from config.inbox import LetterState
from satyapan import State
from satyapan.ids import link_alias
from satyapan.names import INGEST, RUN
from satyapan.records import Row
from tests.support.workbench import Workbench
from worker.ledger.work_ledger import Act, Claim
from worker.operator.actions import Desk
from worker.rules.person import Refused


def desk(bench: Workbench, *, dry: bool = False) -> Desk:
    return Desk(
        ledger=bench.parts.ledger,
        inbox=bench.parts.ingest._inbox,
        kinds=bench.parts.kinds,
        policy=bench.parts.policy,
        wake=bench.wake,
        by="asha",
        dry=dry,
    )


def lost(bench: Workbench, kind: str = "passport", **fault: Any) -> str:
    """Give a verification whose paid answer was lost."""
    route = {"passport": "passport", "static_kyc_link": "static_link"}[kind]
    row_id = bench.submit(kind)
    bench.vendor.post("faults", route=route, **(fault or {"cut": "in_body"}))
    assert bench.settle(row_id).state is State.PARKED
    return row_id


def exhausted(bench: Workbench) -> str:
    """Give a passport whose vendor was broken for all its attempts."""
    row_id = bench.submit("passport")
    bench.vendor.post("faults", route="passport", status=500, times=5)
    assert bench.settle(row_id).reason == "unknown_outcome"
    return row_id


def test_a_redriven_row_goes_on_with_the_same_id_and_is_paid_once(bench: Workbench) -> None:
    row_id = exhausted(bench)

    desk(bench).redrive(row_id)
    ended = bench.settle(row_id)

    assert (ended.state, ended.generation) == (State.DONE, 1)
    assert len(bench.vendor.charges("passport")) == 1
    assert bench.changes() == ["parked", "redriven", "done"]
    assert bench.woken[-1] == (RUN, (row_id,))


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_what_may_have_been_paid_for_is_not_redriven(bench: Workbench, kind: str) -> None:
    row_id = lost(bench, kind)
    before = bench.row(row_id)

    with pytest.raises(Refused, match="reissue"):
        desk(bench).redrive(row_id)

    assert bench.row(row_id) == before
    assert list(desk(bench).acts(10)) == []


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_an_answer_whose_word_was_new_is_taken_once_the_word_is_known(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    words = bench.parts.kinds[kind].operation("cashfree").words
    with monkeypatch.context() as older:
        for word in list(words):
            older.delitem(cast("dict[str, State]", words), word)
        row_id = bench.submit(kind)
        assert bench.settle(row_id).reason == "unknown_status"
        desk(bench).redrive(row_id)
        assert bench.settle(row_id).reason == "unknown_status"

    desk(bench).redrive(row_id)
    ended = bench.settle(row_id)

    assert (ended.state, bool(ended.result)) == (State.DONE, True)
    assert len(bench.vendor.charges()) == 1
    if ended.link:
        link = link_alias(bench.settings.producer.id_key_bytes(), ended.link)
        assert bench.parts.ledger.behind(link) == row_id


@pytest.mark.parametrize("kind", ["passport", "static_kyc_link"])
def test_a_reissue_is_recorded_told_and_paid_once_more(bench: Workbench, kind: str) -> None:
    row_id = lost(bench, kind)

    desk(bench).reissue(row_id)
    ended = bench.settle(row_id)

    assert (ended.state, ended.generation) == (State.DONE, 2)
    assert "by_asha" in bench.row(row_id).generations[0]
    assert bench.changes() == ["parked", "reissued", "done"]
    assert len([c for c in bench.vendor.charges() if c["charge"] != "document"]) == 2
    assert next(desk(bench).acts(1))[1].by == "asha"


def test_reissues_are_capped(bench: Workbench) -> None:
    row_id = lost(bench)
    bench.vendor.post("faults", route="passport", cut="in_body", times=1)
    desk(bench).reissue(row_id)
    bench.settle(row_id)
    bench.vendor.post("faults", route="passport", cut="in_body", times=1)
    desk(bench).reissue(row_id)
    bench.settle(row_id)

    with pytest.raises(Refused, match="3 generations"):
        desk(bench).reissue(row_id)

    assert len(bench.vendor.charges("passport")) == 3


@pytest.mark.parametrize("verb", ["redrive", "reissue"])
def test_only_parked_rows_move_by_hand(bench: Workbench, verb: str) -> None:
    done, fresh = bench.submit("passport"), bench.submit("passport", "other")
    bench.settle(done)

    for row_id in (done, fresh, "nobody"):
        with pytest.raises(Refused):
            getattr(desk(bench), verb)(row_id)

    assert len(bench.vendor.charges()) == 1


@pytest.mark.parametrize("verb", ["redrive", "reissue"])
def test_a_dry_run_decides_and_writes_nothing(bench: Workbench, verb: str) -> None:
    row_id = exhausted(bench)
    before = bench.row(row_id)

    act = getattr(desk(bench, dry=True), verb)(row_id)

    assert act.id == row_id
    assert bench.row(row_id) == before
    assert list(desk(bench).acts(10)) == []


def test_two_people_at_once_reissue_once(bench: Workbench) -> None:
    row_id = lost(bench)
    first = desk(bench)
    claim = first.ledger.claim(row_id, parked=True)

    with pytest.raises(Refused, match="somebody else"):
        desk(bench).reissue(row_id)

    assert claim is not None
    assert bench.row(row_id).generation == 1


def test_a_person_who_was_overtaken_is_told_and_changes_nothing(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = lost(bench)
    late = desk(bench)
    claim = Desk._claim

    def slow(self: Desk, row: Row) -> Claim:
        mine = claim(self, row)
        redis = bench.redis
        redis.hdel(late.ledger.keys.row(row.id), "lease")  # ours has run out
        assert desk(bench).ledger.claim(row.id, parked=True) is not None
        return mine

    monkeypatch.setattr(Desk, "_claim", slow)

    with pytest.raises(Refused, match="taken by somebody else"):
        late.reissue(row_id)

    assert bench.row(row_id).generation == 1
    assert bench.row(row_id).state is State.PARKED


def test_forget_shreds_what_is_private_and_keeps_the_id(bench: Workbench) -> None:
    row_id = bench.submit("passport")
    bench.settle(row_id)
    kept = desk(bench)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    kept.inbox.store("letter", "cashfree", "X", body, row_id)
    kept.inbox.finish("letter", LetterState.HANDLED, row_id)

    kept.forget(row_id)

    after = bench.row(row_id)
    assert (after.state, after.result, after.request) == (State.DONE, None, {})
    assert kept.inbox.read("letter") is None
    assert bench.verifications.submit("passport", bench.example("passport"), key="k").id == row_id
    assert len(bench.vendor.charges()) == 1


def visited(bench: Workbench, link: str, visitor: str = "cf-77") -> str:
    """Let a person come by a shared link; returns the id of the visit."""
    data = {"verification_id": visitor, "form_link": link, "name": "JOHN DOE"}
    body = json.dumps({"data": data}).encode()
    desk(bench).inbox.store(visitor, "cashfree", "KYC_LINK_SUCCESS", body, visitor)
    bench.parts.take(visitor)
    return list(bench.verifications.events("visits", block=0.01))[-1].verification_id


def test_what_a_visitor_told_is_forgotten_with_the_visit(bench: Workbench) -> None:
    owner = bench.settle(bench.submit("static_kyc_link", "first"))
    visit, other = visited(bench, owner.link), visited(bench, owner.link, "cf-78")

    act = desk(bench).forget(visit)

    assert (act.outcome, bench.row(visit).result) == ("1 webhooks", None)
    assert desk(bench).inbox.read("cf-77") is None
    assert desk(bench).inbox.read("cf-78") is not None
    assert bench.row(other).result


def test_a_parked_row_that_is_forgotten_ends(bench: Workbench) -> None:
    row_id = lost(bench)

    desk(bench).forget(row_id)

    after = bench.row(row_id)
    assert (after.state, after.reason) == (State.FAILED, "forgotten/lost_answer")
    assert (after.request, after.result) == ({}, None)
    with pytest.raises(Refused):
        desk(bench).reissue(row_id)


def test_what_is_under_way_or_shared_is_not_forgotten(bench: Workbench) -> None:
    fresh = bench.submit("passport")
    owner = bench.submit("static_kyc_link")
    bench.settle(owner)

    for row_id in (fresh, owner):
        with pytest.raises(Refused):
            desk(bench).forget(row_id)

    assert bench.row(fresh).request


def test_a_retired_link_is_given_out_no_more_and_the_next_is_bought_once(bench: Workbench) -> None:
    bench.settle(bench.submit("static_kyc_link", "owner"))
    old = bench.settle(bench.submit("static_kyc_link", "copy"))

    act = desk(bench).retire(old.id)
    new = bench.settle(bench.submit("static_kyc_link", "later"))
    same = bench.settle(bench.submit("static_kyc_link", "too"))

    assert old.link != new.link == same.link
    assert bench.look(old.id) == old
    assert len(bench.vendor.charges()) == 2
    assert next(desk(bench).acts(1))[1] == Act("retire", bench.look(act.id).id, "asha", act.outcome)
    for link in (old.link, new.link):
        assert bench.row(visited(bench, link, f"cf-{link[-4:]}")).result


def test_what_is_no_shared_link_or_was_retired_before_is_not_retired(bench: Workbench) -> None:
    passport, waiting = bench.submit("passport"), bench.submit("static_kyc_link")
    bench.settle(passport)
    with pytest.raises(Refused, match="no shared link"):
        desk(bench).retire(waiting)
    bench.settle(waiting)
    visit = visited(bench, bench.look(waiting).link)

    for row_id in (passport, visit):
        with pytest.raises(Refused, match="no shared link"):
            desk(bench).retire(row_id)
    desk(bench, dry=True).retire(waiting)
    desk(bench).retire(waiting)
    for _ in range(2):
        with pytest.raises(Refused, match="already"):
            desk(bench).retire(waiting)
        bench.settle(bench.submit("static_kyc_link", "next"))

    assert [act.verb for _, act in desk(bench).acts(9)] == ["retire"]
    assert len(bench.vendor.charges("static_link")) == 2


def test_a_stored_webhook_is_replayed(bench: Workbench) -> None:
    row_id = bench.submit("digilocker")
    bench.once(row_id)
    kept = desk(bench)
    body = json.dumps({"data": {"verification_id": row_id}}).encode()
    kept.inbox.store("letter", "cashfree", "DIGILOCKER_VERIFICATION_FAILURE", body)
    kept.inbox.finish("letter", LetterState.UNMATCHED)

    kept.replay("letter")
    bench.parts.take("letter")

    letter = kept.inbox.read("letter")
    assert letter is not None
    assert letter.state is LetterState.HANDLED
    assert bench.row(row_id).evidence == "FAILED"
    assert (INGEST, ("letter",)) in bench.woken
    with pytest.raises(Refused):
        kept.replay("nothing")


def test_a_parked_claim_ends_with_its_lease(bench: Workbench) -> None:
    row_id = lost(bench)
    ledger = bench.parts.ledger
    ledger.claim(row_id, parked=True)

    bench.redis.hset(ledger.keys.row(row_id), "lease", 1)

    assert ledger.claim(row_id) is None
    assert replace(bench.row(row_id), lease=0).state is State.PARKED
