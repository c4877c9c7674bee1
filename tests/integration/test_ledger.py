"""Claims, fences, hints and sweeps on a real server."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from satyapan import State, Unreadable
from satyapan.ids import generation_id
from satyapan.names import INGEST, RUN_SLOT
from satyapan.records import Row
from satyapan.sealing import new_key
from shared.inbox.inbox import Inbox
from shared.inbox.stored_webhook import WebhookState
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.ledger.work_ledger import LEAST_CHECK_MS, Claim, StaleFence, WorkLedger
from worker.maintenance.sweeper import Sweep

NONSENSE = (
    b"[" * 100_000,
    b"\xff\xfe",
    b"null",
    b'{"data":[]}',
    rb'{"data": {"verification_id": "\ud800"}}',
)


@pytest.fixture
def ledger(harness: Harness) -> WorkLedger:
    return harness.parts.ledger


def claimed(ledger: WorkLedger, row_id: str) -> Claim:
    claim = ledger.claim(row_id)
    assert claim is not None
    return claim


def end_lease(harness: Harness, row_id: str) -> None:
    harness.redis.hset(harness.parts.ledger.keys.row(row_id), "lease", 1)


def commit(ledger: WorkLedger, claim: Claim, after: Row, *changes: str) -> Row:
    return ledger.committing(claim.row, after, changes, claim.now, keep=False).now()


def test_only_one_of_many_claims_of_a_row_succeeds(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")

    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(ledger.claim, [row_id] * 64))

    assert len([claim for claim in claims if claim]) == 1
    assert harness.read(row_id).state is State.CLAIMED


def test_a_write_with_an_old_fence_changes_nothing(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    old = claimed(ledger, row_id)
    end_lease(harness, row_id)
    new = claimed(ledger, row_id)
    before = harness.redis.hgetall(ledger.keys.row(row_id))

    with pytest.raises(StaleFence):
        commit(ledger, old, replace(old.row, state=State.DONE, status="VALID", due=0), "done")

    assert new.row.fence == old.row.fence + 1
    assert harness.redis.hgetall(ledger.keys.row(row_id)) == before
    assert harness.changes() == []


def test_a_worker_that_lacks_the_key_leaves_the_row_to_others(
    harness: Harness, redis_url: str
) -> None:
    row_id = harness.submit("passport")
    other = Harness(redis_url, "http://127.0.0.1:1", SATYAPAN_SEAL_KEYS=new_key("other"))

    with pytest.raises(Unreadable):
        other.parts.engine.run(row_id)

    left = harness.row(row_id)
    assert (left.lease, left.crashes) == (0, 0)
    assert left.due > left.updated


def test_a_settled_row_is_never_claimed_again(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)

    assert ledger.claim(row_id) is None
    assert harness.redis.zscore(ledger.keys.due, row_id) is None


def test_a_row_that_is_not_due_is_not_claimed(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    claim = claimed(ledger, row_id)
    commit(ledger, claim, replace(claim.row, state=State.ACCEPTED, due=claim.now + 60_000))

    assert ledger.claim(row_id) is None
    assert harness.redis.zscore(ledger.keys.due, row_id) == claim.now + 60_000


def test_a_new_generation_is_counted_once_however_often_it_is_committed(
    harness: Harness, ledger: WorkLedger
) -> None:
    claim = claimed(ledger, harness.submit("digilocker"))
    record = f"2 lost_link 1 maybe_paid {claim.row.id}.g2"
    after = replace(claim.row, generation=2, generations=(record,))

    for _ in range(2):  # as when the first reply is lost
        ledger.committing(claim.row, after, (), claim.now, keep=True).now()

    assert harness.redis.hgetall(ledger.keys.reissues) == {b"digilocker maybe_paid": b"1"}


def test_every_open_row_is_in_the_due_index(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("digilocker")
    at_insert = harness.redis.zscore(ledger.keys.due, row_id)
    claimed(ledger, row_id)
    while_claimed = harness.redis.zscore(ledger.keys.due, row_id)
    end_lease(harness, row_id)
    harness.run_once(row_id)
    while_pending = harness.redis.zscore(ledger.keys.due, row_id)

    assert None not in {at_insert, while_claimed, while_pending}


def test_the_bytes_of_a_final_result_never_change(harness: Harness) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)
    key = harness.parts.ledger.keys.row(row_id)

    before = harness.redis.hget(key, "result")
    harness.parts.engine.run(row_id)
    harness.submit("passport")
    harness.parts.check_status(row_id)

    assert harness.redis.hget(key, "result") == before


def test_a_hint_brings_the_next_status_check_forward_once(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    redis, key = harness.redis, ledger.keys.row(row_id)
    now = int(redis.time()[0]) * 1000
    redis.hset(key, mapping={"due": now + 600_000, "checked": now - 10_000})

    first = ledger.hint(row_id, asked=True)
    redis.hset(key, mapping={"due": now + 600_000, "checked": first})
    second = ledger.hint(row_id, asked=True)

    assert first < now + 120_000
    assert second == first + LEAST_CHECK_MS


def test_a_hint_while_claimed_is_not_lost(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.redis.hset(ledger.keys.row(row_id), "due", 1)
    claim = claimed(ledger, row_id)

    ledger.hint(row_id, "AUTHENTICATED", asked=True)
    commit(ledger, claim, replace(claim.row, due=claim.now + 600_000))

    row = harness.row(row_id)
    assert row.due < claim.now + 60_000
    assert row.evidence == "AUTHENTICATED"


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DONE])
def test_a_hint_does_not_change_a_row_that_was_not_sent_or_has_ended(
    harness: Harness, state: State
) -> None:
    row_id = harness.submit("passport")
    if state is State.DONE:
        harness.settle(row_id)
    before = harness.row(row_id)

    assert harness.parts.ledger.hint(row_id, "FAILED", asked=True) == 0
    assert harness.row(row_id) == before


def test_two_sweepers_at_once_wake_each_row_once(harness: Harness, ledger: WorkLedger) -> None:
    ids = {harness.submit("passport", f"k{n}") for n in range(60)}
    redis = harness.redis
    for row_id in ids:
        redis.zadd(ledger.keys.due, {row_id: 1})
    woken: list[str] = []

    def wake(task: str, some: Sequence[str]) -> bool:
        woken.extend(some)
        return task == RUN_SLOT

    triage = harness.parts.triage
    sweeps = [
        Sweep(redis, ledger.keys, triage, wake, chunk=50, batch=7, keep_ms=1) for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Sweep.once, sweeps))

    assert sorted(woken) == sorted(ids)


def test_the_sweeper_replaces_a_lost_wake_up(harness: Harness, ledger: WorkLedger) -> None:
    row_id = harness.submit("passport")
    harness.redis.zadd(ledger.keys.due, {row_id: 1})

    harness.parts.sweep.once()

    assert harness.woken == [(RUN_SLOT, (row_id,))]


def test_the_sweeper_trims_state_indexes_after_retention(
    harness: Harness, ledger: WorkLedger
) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)
    redis, index = harness.redis, ledger.keys.index(State.DONE)
    life = redis.pttl(ledger.keys.row(row_id))
    redis.zadd(index, {row_id: 1})

    harness.parts.sweep.trim()

    assert 0 < life <= harness.settings.retention.terminal_s * 1000
    assert redis.zcard(index) == 0


def test_one_static_link_is_bought_for_all_and_kept(harness: Harness) -> None:
    ids = [harness.submit("static_kyc_link", f"k{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(harness.parts.engine.run, ids))

    results = [harness.settle(row_id).result for row_id in ids]

    assert len(harness.vendor.charges("static_link")) == 1
    assert all(result == results[0] for result in results)
    owner = next(row_id for row_id in ids if harness.row(row_id).attempts)
    assert harness.redis.pttl(harness.parts.ledger.keys.row(owner)) == -1


def test_each_template_has_a_link_of_its_own(harness: Harness) -> None:
    harness.vendor.post("templates", name="Other")
    one = harness.settle(
        harness.submit("static_kyc_link", "a", template_name="Aadhaar_verification")
    )
    two = harness.settle(harness.submit("static_kyc_link", "b", template_name="Other"))

    assert one.link != two.link
    assert len(harness.vendor.charges("static_link")) == 2


def test_the_events_of_a_verification_are_numbered(harness: Harness) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    harness.vendor.post(f"journeys/{row_id}", decision="deny")
    harness.settle(row_id)

    events = list(harness.verifications.events("numbers", block=0.01))

    assert [event.id for event in events] == [f"{row_id}.1", f"{row_id}.2"]


class TestInbox:
    def store(self, harness: Harness, event: str, **data: Any) -> str:
        body = json.dumps({"event_type": event, "data": data}).encode()
        webhook_id = hashlib.sha256(body).hexdigest()
        self.inbox(harness).store(webhook_id, "cashfree", event, body)
        return webhook_id

    def inbox(self, harness: Harness) -> Inbox:
        return harness.parts.ingest._inbox

    def state(self, harness: Harness, webhook_id: str) -> WebhookState:
        webhook = self.inbox(harness).read(webhook_id)
        assert webhook is not None
        return webhook.state

    def test_a_webhook_causes_the_status_read_that_decides(self, harness: Harness) -> None:
        row_id = harness.submit("digilocker")
        harness.run_once(row_id)
        harness.vendor.post(f"journeys/{row_id}", decision="deny")
        webhook = self.store(
            harness, "DIGILOCKER_VERIFICATION_SUCCESS", verification_id=row_id, reference_id=1
        )

        harness.parts.ingest.take(webhook)

        assert harness.settle(row_id).state is State.DENIED
        assert self.state(harness, webhook) is WebhookState.HANDLED

    def test_a_webhook_of_a_later_generation_finds_its_row(self, harness: Harness) -> None:
        row_id = "v" * 50  # too long for a suffix, so the second vendor-side id is another text
        request = harness.example("digilocker")
        harness.verifications.submit("digilocker", request, verification_id=row_id)
        harness.vendor.post("faults", route="digilocker", cut="in_body")
        eventually(lambda: harness.run_once(row_id).link)
        second = generation_id(row_id, 2)
        webhook = self.store(
            harness, "DIGILOCKER_VERIFICATION_FAILURE", verification_id=second, reference_id=1
        )

        harness.parts.ingest.take(webhook)

        assert self.state(harness, webhook) is WebhookState.HANDLED
        assert harness.row(row_id).evidence == "FAILED"

    def test_a_webhook_about_an_older_link_causes_a_read_and_is_not_evidence(
        self, harness: Harness
    ) -> None:
        row_id = harness.submit("digilocker")
        harness.vendor.post("faults", route="digilocker", cut="in_body")
        eventually(lambda: harness.run_once(row_id).link)
        webhook = self.store(
            harness, "DIGILOCKER_VERIFICATION_FAILURE", verification_id=row_id, reference_id=1
        )

        harness.parts.ingest.take(webhook)
        eventually(lambda: not harness.run_once(row_id).settled and harness.row(row_id).checked)

        row = harness.row(row_id)
        assert self.state(harness, webhook) is WebhookState.HANDLED
        assert (row.state, row.generation, row.evidence) == (State.PENDING, 2, "")

    def test_a_webhook_after_the_end_changes_nothing(self, harness: Harness) -> None:
        row_id = harness.submit("digilocker")
        harness.run_once(row_id)
        harness.vendor.post(f"journeys/{row_id}", decision="allow")
        ended = harness.settle(row_id)
        webhook = self.store(
            harness, "DIGILOCKER_VERIFICATION_CONSENT_EXPIRED", verification_id=row_id
        )

        harness.parts.ingest.take(webhook)

        assert harness.read(row_id) == ended
        assert harness.changes() == ["link_ready", "done"]

    @pytest.mark.parametrize(
        ("event", "vendor_id"),
        [("DIGILOCKER_VERIFICATION_SUCCESS", "not-ours"), ("SOMETHING_NEW", "x")],
    )
    def test_a_webhook_that_matches_nothing_is_kept(
        self, harness: Harness, event: str, vendor_id: str
    ) -> None:
        webhook = self.store(harness, event, verification_id=vendor_id)

        harness.parts.ingest.take(webhook)

        assert self.state(harness, webhook) is WebhookState.UNMATCHED
        assert harness.redis.zcard(harness.parts.ledger.keys.inbox_due) == 0

    @pytest.mark.parametrize("body", NONSENSE)
    def test_a_signed_but_unusable_body_is_kept_and_not_retried(
        self, harness: Harness, body: bytes
    ) -> None:
        webhook_id = hashlib.sha256(body).hexdigest()
        self.inbox(harness).store(webhook_id, "cashfree", "KYC_LINK_SUCCESS", body)

        harness.parts.ingest.take(webhook_id)

        assert self.state(harness, webhook_id) is WebhookState.UNMATCHED

    def test_a_visit_is_a_row_with_events_for_every_producer_that_asked(
        self, harness: Harness, redis_url: str
    ) -> None:
        other = Harness(redis_url, "http://127.0.0.1:1", SATYAPAN_REPLY_TO="other")
        owner = harness.settle(harness.submit("static_kyc_link"))
        second = harness.settle(other.submit("static_kyc_link", "second"))
        data = {"verification_id": "cf-77", "reference_id": 77, "form_link": owner.link}
        step = self.store(harness, "KYC_LINK_ACTION_PERFORMED", **data, form_status="RECEIVED")
        end = self.store(harness, "KYC_LINK_SUCCESS", **data, form_status="SUCCESS")

        for webhook in (step, step, end, end):
            harness.parts.ingest.take(webhook)

        assert harness.changes() == ["done", "progress", "done"]
        assert other.changes() == ["done", "progress", "done"]
        parents = {e.parent for e in other.verifications.events("p", block=0.01)}
        assert parents == {"", second.id}
        visit = list(harness.verifications.events("by-id", block=0.01))[-1]
        found = harness.read(visit.verification_id)
        assert (found.state, found.parent, found.reference) == (State.DONE, owner.id, "77")
        assert found.result is not None
        assert found.result["form_status"] == "SUCCESS"

    def test_a_stored_webhook_whose_wake_up_was_lost_is_swept(self, harness: Harness) -> None:
        webhook = self.store(harness, "SOMETHING_NEW", verification_id="x")
        keys = harness.parts.ledger.keys
        harness.redis.zadd(keys.inbox_due, {webhook: 1})

        harness.parts.sweep.once()

        assert harness.woken == [(INGEST, (webhook,))]
