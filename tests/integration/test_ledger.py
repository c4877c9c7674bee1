"""Claims, fences, hints and sweeps on a real server."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from config.inbox import Inbox, LetterState
from satyapan import State, Unreadable
from satyapan.ids import generation_id
from satyapan.names import INGEST, RUN_SLOT
from satyapan.records import Row
from satyapan.sealing import new_key
from tests.support.eventually import eventually
from tests.support.workbench import Workbench
from worker.ledger.work_ledger import LEAST_LOOK_MS, Claim, StaleFence, WorkLedger
from worker.maintenance.sweeper import Sweep

NONSENSE = (
    b"[" * 100_000,
    b"\xff\xfe",
    b"null",
    b'{"data":[]}',
    rb'{"data": {"verification_id": "\ud800"}}',
)


@pytest.fixture
def ledger(bench: Workbench) -> WorkLedger:
    return bench.parts.ledger


def claimed(ledger: WorkLedger, row_id: str) -> Claim:
    claim = ledger.claim(row_id)
    assert claim is not None
    return claim


def end_lease(bench: Workbench, row_id: str) -> None:
    bench.redis.hset(bench.parts.ledger.keys.row(row_id), "lease", 1)


def commit(ledger: WorkLedger, claim: Claim, after: Row, *changes: str) -> Row:
    return ledger.commit(claim.row, after, changes, claim.now, keep=False, alias="")


def test_a_row_is_claimed_by_one_only(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")

    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(ledger.claim, [row_id] * 64))

    assert len([claim for claim in claims if claim]) == 1
    assert bench.look(row_id).state is State.CLAIMED


def test_a_write_with_an_old_fence_changes_nothing(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    old = claimed(ledger, row_id)
    end_lease(bench, row_id)
    new = claimed(ledger, row_id)
    before = bench.redis.hgetall(ledger.keys.row(row_id))

    with pytest.raises(StaleFence):
        commit(ledger, old, replace(old.row, state=State.DONE, status="VALID", due=0), "done")

    assert new.row.fence == old.row.fence + 1
    assert bench.redis.hgetall(ledger.keys.row(row_id)) == before
    assert bench.changes() == []


def test_a_worker_that_lacks_the_key_leaves_the_row_to_others(
    bench: Workbench, redis_url: str
) -> None:
    row_id = bench.submit("passport")
    other = Workbench(redis_url, "http://127.0.0.1:1", SATYAPAN_SEAL_KEYS=new_key("other"))

    with pytest.raises(Unreadable):
        other.parts.run(row_id)

    left = bench.row(row_id)
    assert (left.lease, left.crashes) == (0, 0)
    assert left.due > left.updated


def test_a_settled_row_is_never_claimed_again(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    bench.settle(row_id)

    assert ledger.claim(row_id) is None
    assert bench.redis.zscore(ledger.keys.due, row_id) is None


def test_a_row_that_is_not_due_is_not_claimed(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    claim = claimed(ledger, row_id)
    commit(ledger, claim, replace(claim.row, state=State.ACCEPTED, due=claim.now + 60_000))

    assert ledger.claim(row_id) is None
    assert bench.redis.zscore(ledger.keys.due, row_id) == claim.now + 60_000


def test_every_open_row_stands_in_the_due_index(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("digilocker")
    at_insert = bench.redis.zscore(ledger.keys.due, row_id)
    claimed(ledger, row_id)
    while_claimed = bench.redis.zscore(ledger.keys.due, row_id)
    end_lease(bench, row_id)
    bench.once(row_id)
    while_pending = bench.redis.zscore(ledger.keys.due, row_id)

    assert None not in {at_insert, while_claimed, while_pending}


def test_the_terminal_bytes_are_the_same_on_every_read(bench: Workbench) -> None:
    row_id = bench.submit("passport")
    bench.settle(row_id)
    key = bench.parts.ledger.keys.row(row_id)

    before = bench.redis.hget(key, "result")
    bench.parts.run(row_id)
    bench.submit("passport")
    bench.parts.look(row_id)

    assert bench.redis.hget(key, "result") == before


def test_a_hint_brings_the_next_look_forward_once(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("digilocker")
    bench.once(row_id)
    redis, key = bench.redis, ledger.keys.row(row_id)
    now = int(redis.time()[0]) * 1000
    redis.hset(key, mapping={"due": now + 600_000, "looked": now - 10_000})

    first = ledger.hint(row_id, asked=True)
    redis.hset(key, mapping={"due": now + 600_000, "looked": first})
    second = ledger.hint(row_id, asked=True)

    assert first < now + 120_000
    assert second == first + LEAST_LOOK_MS


def test_a_hint_while_claimed_is_not_lost(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("digilocker")
    bench.once(row_id)
    bench.redis.hset(ledger.keys.row(row_id), "due", 1)
    claim = claimed(ledger, row_id)

    ledger.hint(row_id, "AUTHENTICATED", asked=True)
    commit(ledger, claim, replace(claim.row, due=claim.now + 600_000))

    row = bench.row(row_id)
    assert row.due < claim.now + 60_000
    assert row.evidence == "AUTHENTICATED"


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DONE])
def test_a_hint_never_touches_what_is_not_on_its_way(bench: Workbench, state: State) -> None:
    row_id = bench.submit("passport")
    if state is State.DONE:
        bench.settle(row_id)
    before = bench.row(row_id)

    assert bench.parts.ledger.hint(row_id, "FAILED", asked=True) == 0
    assert bench.row(row_id) == before


def test_two_sweepers_at_once_wake_each_row_once(bench: Workbench, ledger: WorkLedger) -> None:
    ids = {bench.submit("passport", f"k{n}") for n in range(60)}
    redis = bench.redis
    for row_id in ids:
        redis.zadd(ledger.keys.due, {row_id: 1})
    woken: list[str] = []

    def wake(task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        return task == RUN_SLOT

    triage = bench.parts.triage
    sweeps = [
        Sweep(redis, ledger.keys, triage, wake, chunk=50, batch=7, keep_ms=1) for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Sweep.once, sweeps))

    assert sorted(woken) == sorted(ids)


def test_a_lost_wake_up_is_made_good_by_the_sweeper(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    bench.redis.zadd(ledger.keys.due, {row_id: 1})

    bench.parts.sweep.once()

    assert bench.woken == [(RUN_SLOT, (row_id,))]


def test_the_sweeper_trims_what_retention_ended(bench: Workbench, ledger: WorkLedger) -> None:
    row_id = bench.submit("passport")
    bench.settle(row_id)
    redis, index = bench.redis, ledger.keys.index(State.DONE)
    life = redis.pttl(ledger.keys.row(row_id))
    redis.zadd(index, {row_id: 1})

    bench.parts.sweep.trim()

    assert 0 < life <= bench.settings.retention.terminal_s * 1000
    assert redis.zcard(index) == 0


def test_one_static_link_serves_everybody_and_is_kept(bench: Workbench) -> None:
    ids = [bench.submit("static_kyc_link", f"k{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bench.parts.run, ids))

    results = [bench.settle(row_id).result for row_id in ids]

    assert len(bench.vendor.charges("static_link")) == 1
    assert all(result == results[0] for result in results)
    owner = next(row_id for row_id in ids if bench.row(row_id).attempts)
    assert bench.redis.pttl(bench.parts.ledger.keys.row(owner)) == -1


def test_each_template_has_a_link_of_its_own(bench: Workbench) -> None:
    bench.vendor.post("templates", name="Other")
    one = bench.settle(bench.submit("static_kyc_link", "a", template_name="Aadhaar_verification"))
    two = bench.settle(bench.submit("static_kyc_link", "b", template_name="Other"))

    assert one.link != two.link
    assert len(bench.vendor.charges("static_link")) == 2


def test_the_events_of_a_verification_are_numbered(bench: Workbench) -> None:
    row_id = bench.submit("digilocker")
    bench.once(row_id)
    bench.vendor.post(f"journeys/{row_id}", decision="deny")
    bench.settle(row_id)

    events = list(bench.verifications.events("numbers", block=0.01))

    assert [event.id for event in events] == [f"{row_id}.1", f"{row_id}.2"]


class TestInbox:
    def store(self, bench: Workbench, event: str, **data: Any) -> str:
        body = json.dumps({"event_type": event, "data": data}).encode()
        letter_id = hashlib.sha256(body).hexdigest()
        self.inbox(bench).store(letter_id, "cashfree", event, body)
        return letter_id

    def inbox(self, bench: Workbench) -> Inbox:
        return bench.parts.ingest._inbox

    def state(self, bench: Workbench, letter_id: str) -> LetterState:
        letter = self.inbox(bench).read(letter_id)
        assert letter is not None
        return letter.state

    def test_a_webhook_asks_for_the_status_read_that_decides(self, bench: Workbench) -> None:
        row_id = bench.submit("digilocker")
        bench.once(row_id)
        bench.vendor.post(f"journeys/{row_id}", decision="deny")
        letter = self.store(
            bench, "DIGILOCKER_VERIFICATION_SUCCESS", verification_id=row_id, reference_id=1
        )

        bench.parts.take(letter)

        assert bench.settle(row_id).state is State.DENIED
        assert self.state(bench, letter) is LetterState.HANDLED

    def test_a_webhook_of_a_later_generation_finds_its_row(self, bench: Workbench) -> None:
        row_id = "v" * 50  # too long for a suffix: its second id can't be read back from the name
        request = bench.example("digilocker")
        bench.verifications.submit("digilocker", request, verification_id=row_id)
        bench.vendor.post("faults", route="digilocker", cut="in_body")
        eventually(lambda: bench.once(row_id).link)
        second = generation_id(row_id, 2)
        letter = self.store(
            bench, "DIGILOCKER_VERIFICATION_FAILURE", verification_id=second, reference_id=1
        )

        bench.parts.take(letter)

        assert self.state(bench, letter) is LetterState.HANDLED
        assert bench.row(row_id).evidence == "FAILED"

    def test_a_webhook_about_an_older_link_asks_and_claims_nothing(self, bench: Workbench) -> None:
        row_id = bench.submit("digilocker")
        bench.vendor.post("faults", route="digilocker", cut="in_body")
        eventually(lambda: bench.once(row_id).link)
        letter = self.store(
            bench, "DIGILOCKER_VERIFICATION_FAILURE", verification_id=row_id, reference_id=1
        )

        bench.parts.take(letter)
        eventually(lambda: not bench.once(row_id).settled and bench.row(row_id).looked)

        row = bench.row(row_id)
        assert self.state(bench, letter) is LetterState.HANDLED
        assert (row.state, row.generation, row.evidence) == (State.PENDING, 2, "")

    def test_a_webhook_after_the_end_changes_nothing(self, bench: Workbench) -> None:
        row_id = bench.submit("digilocker")
        bench.once(row_id)
        bench.vendor.post(f"journeys/{row_id}", decision="allow")
        ended = bench.settle(row_id)
        letter = self.store(
            bench, "DIGILOCKER_VERIFICATION_CONSENT_EXPIRED", verification_id=row_id
        )

        bench.parts.take(letter)

        assert bench.look(row_id) == ended
        assert bench.changes() == ["link_ready", "done"]

    @pytest.mark.parametrize(
        ("event", "vendor_id"),
        [("DIGILOCKER_VERIFICATION_SUCCESS", "not-ours"), ("SOMETHING_NEW", "x")],
    )
    def test_a_webhook_that_matches_nothing_is_kept(
        self, bench: Workbench, event: str, vendor_id: str
    ) -> None:
        letter = self.store(bench, event, verification_id=vendor_id)

        bench.parts.take(letter)

        assert self.state(bench, letter) is LetterState.UNMATCHED
        assert bench.redis.zcard(bench.parts.ledger.keys.inbox_due) == 0

    @pytest.mark.parametrize("body", NONSENSE)
    def test_a_signed_body_that_makes_no_sense_is_kept_not_tried_for_ever(
        self, bench: Workbench, body: bytes
    ) -> None:
        letter_id = hashlib.sha256(body).hexdigest()
        self.inbox(bench).store(letter_id, "cashfree", "KYC_LINK_SUCCESS", body)

        bench.parts.take(letter_id)

        assert self.state(bench, letter_id) is LetterState.UNMATCHED

    def test_a_visitor_becomes_a_row_and_events_of_everyone_who_asked(
        self, bench: Workbench, redis_url: str
    ) -> None:
        other = Workbench(redis_url, "http://127.0.0.1:1", SATYAPAN_REPLY_TO="other")
        owner = bench.settle(bench.submit("static_kyc_link"))
        second = bench.settle(other.submit("static_kyc_link", "second"))
        news = {"verification_id": "cf-77", "reference_id": 77, "form_link": owner.link}
        step = self.store(bench, "KYC_LINK_ACTION_PERFORMED", **news, form_status="RECEIVED")
        end = self.store(bench, "KYC_LINK_SUCCESS", **news, form_status="SUCCESS")

        for letter in (step, step, end, end):
            bench.parts.take(letter)

        assert bench.changes() == ["done", "progress", "done"]
        assert other.changes() == ["done", "progress", "done"]
        parents = {e.parent for e in other.verifications.events("p", block=0.01)}
        assert parents == {"", second.id}
        visit = list(bench.verifications.events("by-id", block=0.01))[-1]
        found = bench.look(visit.verification_id)
        assert (found.state, found.parent, found.reference) == (State.DONE, owner.id, "77")
        assert found.result is not None
        assert found.result["form_status"] == "SUCCESS"

    def test_a_stored_webhook_whose_wake_up_was_lost_is_swept(self, bench: Workbench) -> None:
        letter = self.store(bench, "SOMETHING_NEW", verification_id="x")
        keys = bench.parts.ledger.keys
        bench.redis.zadd(keys.inbox_due, {letter: 1})

        bench.parts.sweep.once()

        assert bench.woken == [(INGEST, (letter,))]
