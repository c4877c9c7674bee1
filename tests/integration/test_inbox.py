"""Webhooks whose processing fails: retried with growing pauses, parked, listed and replayed."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis.exceptions import RedisError

from demo.server import EmbeddedServer
from satyapan.errors import Unavailable, Unreadable
from satyapan.ids import child_id
from satyapan.names import Keys
from satyapan.records import Row, State
from satyapan.sealing import KeyRing, new_key
from shared.inbox.inbox import MAX_TRIES, Inbox
from shared.inbox.stored_webhook import StoredWebhook, WebhookState
from tests.support.worker_harness import Harness
from worker.operator import cli as operator_cli

EVENT = "DIGILOCKER_VERIFICATION_FAILURE"
ODD = ["NaN", "1e999", "9" * 5_000, '"\\ud800"', '{"a": 1, "a": 2}', "[" * 90 + "]" * 90]


def store(inbox: Inbox, webhook_id: str, vendor_id: str) -> str:
    body = json.dumps({"event_type": EVENT, "data": {"verification_id": vendor_id}}).encode()
    inbox.store(webhook_id, "cashfree", EVENT, body, vendor_id)
    return webhook_id


@pytest.fixture
def inbox(harness: Harness) -> Inbox:
    return harness.parts.ingest._inbox


@pytest.fixture
def stuck(harness: Harness, inbox: Inbox) -> str:
    """A webhook whose processing always fails: its row's key holds something else."""
    redis: Any = harness.redis
    redis.set(Keys().row("broken"), "no row")
    return store(inbox, "stuck", "broken")


def found(inbox: Inbox, webhook_id: str) -> StoredWebhook:
    webhook = inbox.read(webhook_id)
    assert webhook is not None
    return webhook


def pause_ms(harness: Harness, webhook_id: str) -> float:
    """Return the milliseconds until a webhook is due."""
    redis: Any = harness.redis
    seconds, micros = redis.time()
    due: float = redis.zscore(Keys().inbox_due, webhook_id)
    return due - float(seconds * 1000 + micros / 1000)


def test_a_failing_webhook_is_retried_with_growing_pauses_and_then_parked(
    harness: Harness, inbox: Inbox, stuck: str
) -> None:
    pauses = []
    for tries in range(1, MAX_TRIES):
        harness.parts.ingest.take(stuck)
        assert (found(inbox, stuck).state, found(inbox, stuck).tries) == (WebhookState.NEW, tries)
        pauses.append(pause_ms(harness, stuck))
    harness.parts.ingest.take(stuck)
    harness.parts.ingest.take(stuck)

    webhook = found(inbox, stuck)
    assert (webhook.state, webhook.tries, webhook.code) == (
        WebhookState.PARKED,
        MAX_TRIES,
        "Unavailable",
    )
    assert all(1.3 * one < after for one, after in pairwise(pauses))
    assert max(pauses) <= 3_600_000
    redis: Any = harness.redis
    assert redis.zcard(Keys().inbox_due) == 0
    assert [one.id for one in inbox.newest(WebhookState.PARKED, 9)] == [stuck]
    assert list(inbox.newest(WebhookState.NEW, 9)) == []


def test_a_parked_webhook_is_listed_and_replayed(
    harness: Harness, inbox: Inbox, stuck: str
) -> None:
    for _ in range(MAX_TRIES):
        harness.parts.ingest.take(stuck)
    redis: Any = harness.redis

    listed = CliRunner().invoke(operator_cli.inbox, ["--state", "parked"], env=harness.env)
    redis.delete(Keys().row("broken"))
    replayed = CliRunner().invoke(operator_cli.replay, [stuck], env=harness.env)
    harness.parts.ingest.take(stuck)

    assert (listed.exit_code, replayed.exit_code) == (0, 0), listed.output + replayed.output
    head, line = listed.output.splitlines()
    assert head.split()[:5] == ["ID", "STATE", "EVENT", "VERIFICATION_ID", "RECEIVED"]
    assert line.split()[:2] == [stuck, "PARKED"]
    webhook = found(inbox, stuck)
    assert (webhook.state, webhook.tries) == (WebhookState.UNMATCHED, 0)


def test_a_failing_webhook_does_not_delay_others(
    harness: Harness, inbox: Inbox, stuck: str
) -> None:
    row_id = harness.submit("digilocker")
    harness.run_once(row_id)
    other = store(inbox, "other", row_id)

    for each in (stuck, other):
        harness.parts.ingest.take(each)

    assert found(inbox, other).state is WebhookState.HANDLED


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[EmbeddedServer, Harness]]:
    """A server that a test may kill, and a harness that uses it."""
    with EmbeddedServer(tmp_path) as server:
        more = {"SATYAPAN_REDIS_READ_TIMEOUT_S": "2"}
        yield server, Harness(server.url, "http://127.0.0.1:1", **more)


def test_an_absent_or_full_server_does_not_count_as_a_failure(
    own_server: tuple[EmbeddedServer, Harness],
) -> None:
    server, harness = own_server
    inbox = harness.parts.ingest._inbox
    row = Row(id="dl-1", kind="digilocker", vendor="cashfree", state=State.PENDING)
    harness.parts.ledger.insert(row, 60_000)
    webhook = found(inbox, store(inbox, "webhook", row.id))
    redis: Any = harness.redis

    redis.config_set("maxmemory", 1)
    for _ in range(2):
        with pytest.raises(RedisError):
            harness.parts.ingest.take("webhook")
    redis.config_set("maxmemory", 0)
    server.kill()
    with pytest.raises(Unavailable):
        harness.parts.ingest._try(webhook)
    server.restart()

    assert found(inbox, "webhook").tries == 0
    harness.parts.ingest._try(webhook)
    assert found(inbox, "webhook").state is WebhookState.HANDLED


def test_a_webhook_whose_key_is_missing_is_left_for_a_worker_that_has_it(
    harness: Harness, inbox: Inbox
) -> None:
    redis: Any = harness.redis
    other = Inbox(redis, Keys(), KeyRing.parse(new_key("k9")), 60_000, inbox._id_key)
    store(other, "sealed", "nobody")

    for _ in range(MAX_TRIES + 1):
        with pytest.raises(Unreadable):
            harness.parts.ingest.take("sealed")

    (listed,) = inbox.newest(None, 9)
    assert (listed.state, listed.tries) == (WebhookState.NEW, 0)
    assert 20_000 < pause_ms(harness, "sealed") <= 30_000


@pytest.mark.parametrize("state", [WebhookState.HANDLED, WebhookState.PARKED])
def test_a_late_message_to_a_worker_without_the_key_does_not_reopen_a_webhook(
    harness: Harness, inbox: Inbox, state: WebhookState
) -> None:
    redis: Any = harness.redis
    other = Inbox(redis, Keys(), KeyRing.parse(new_key("k9")), 60_000, inbox._id_key)
    store(other, "sealed", "nobody")
    other.finish("sealed", state)

    with pytest.raises(Unreadable):
        harness.parts.ingest.take("sealed")

    assert [one.state for one in inbox.newest(None, 9)] == [state]
    assert redis.zcard(Keys().inbox_due) == 0


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_in_a_visitors_webhook_break_neither_row_nor_events(
    harness: Harness, inbox: Inbox, odd: str
) -> None:
    owner = harness.settle(harness.submit("static_kyc_link"))
    ids = f'"verification_id": "cf-7", "form_link": "{owner.link}", "form_status": "SUCCESS"'
    body = f'{{"event_type": "X", "data": {{{ids}, "name": {odd}, "uid": "234123412346"}}}}'
    # Stored unscrubbed, as an earlier version did.
    inbox.store("webhook", "cashfree", "KYC_LINK_SUCCESS", body.encode(), "cf-7")

    harness.parts.ingest.take("webhook")

    assert found(inbox, "webhook").state is WebhookState.HANDLED
    visit = list(harness.verifications.events("all", block=0.01))[-1]
    assert visit.name == "done"
    result = harness.read(visit.verification_id).result
    assert result is not None
    assert result.get("uid") in {"XXXX XXXX 2346", None}


@pytest.mark.parametrize("said", [{}, {"verification_id": None}, {"verification_id": ""}])
def test_visitors_without_an_id_are_not_taken_for_one_person(
    harness: Harness, inbox: Inbox, said: dict[str, Any]
) -> None:
    owner = harness.settle(harness.submit("static_kyc_link"))
    data = {"form_link": owner.link, "form_status": "SUCCESS", "name": "A", **said}
    body = json.dumps({"event_type": "KYC_LINK_SUCCESS", "data": data}).encode()
    inbox.store("webhook", "cashfree", "KYC_LINK_SUCCESS", body)

    harness.parts.ingest.take("webhook")

    assert found(inbox, "webhook").state is WebhookState.UNMATCHED
    assert not [e for e in harness.verifications.events("all", block=0.01) if e.parent]


def test_a_visit_that_another_webhook_is_at_work_on_is_written_a_second_later(
    harness: Harness, inbox: Inbox
) -> None:
    owner = harness.settle(harness.submit("static_kyc_link"))
    body = json.dumps({"data": {"verification_id": "cf-7", "form_link": owner.link}}).encode()
    inbox.store("acted", "cashfree", "KYC_LINK_ACTION_PERFORMED", body, "cf-7")
    harness.parts.ingest.take("acted")
    ledger, reply_to = harness.parts.ledger, harness.settings.producer.reply_to
    visit = child_id(harness.settings.producer.id_key_bytes(), owner.id, "cf-7", reply_to)
    ledger.make_due(visit)
    claim = ledger.claim(visit)
    assert claim is not None
    inbox.store("done", "cashfree", "KYC_LINK_SUCCESS", body, "cf-7")

    harness.parts.ingest.take("done")
    first = pause_ms(harness, "done")
    harness.parts.ingest.take("done")
    second = pause_ms(harness, "done")
    ledger.committing(claim.row, claim.row, [], claim.now, keep=False).now()
    harness.parts.ingest.take("done")

    assert first <= 1000
    assert second > 20_000, "the holder may be gone; its claim ends by itself"
    assert found(inbox, "done").state is WebhookState.HANDLED
    assert harness.row(visit).state is State.DONE


def test_listing_reads_only_what_it_shows(harness: Harness, inbox: Inbox) -> None:
    for number in range(30):
        store(inbox, f"webhook-{number:02}", f"v-{number}")
    inbox.finish("webhook-05", WebhookState.HANDLED, "v-5")
    redis: Any = harness.redis
    redis.delete(Keys().inbox("webhook-29"))
    redis.config_resetstat()

    latest = [one.id for one in inbox.newest(None, 3)]
    handled = [(one.id, one.verification_id) for one in inbox.newest(WebhookState.HANDLED, 3)]

    assert len(latest) in {2, 3}  # the deleted one may have been among the latest
    assert handled == [("webhook-05", "v-5")]
    commands = {name: stat["calls"] for name, stat in redis.info("commandstats").items()}
    assert "cmdstat_scan" not in commands
    assert commands["cmdstat_hmget"] <= 4


def test_expired_webhooks_are_removed_from_the_indexes(harness: Harness, inbox: Inbox) -> None:
    redis: Any = harness.redis
    store(inbox, "kept", "v-1")
    for state in WebhookState:
        redis.zadd(Keys().inbox_index(state), {"ended": 1})

    harness.parts.sweep.trim()

    left = {
        one.decode()
        for each in WebhookState
        for one in redis.zrange(Keys().inbox_index(each), 0, -1)
    }
    assert left == {"kept"}


@pytest.mark.parametrize("command", [["--state", "LOST"], ["--limit", "0"]])
def test_an_invalid_state_or_limit_is_refused(harness: Harness, command: list[str]) -> None:
    done = CliRunner().invoke(operator_cli.inbox, command, env=harness.env)

    assert done.exit_code == 2
    assert "Invalid value" in done.output
    assert "LOST" not in command or "NEW, HANDLED, UNMATCHED, PARKED" in done.output


def test_an_empty_list_says_so_and_times_are_in_iso_format(harness: Harness, inbox: Inbox) -> None:
    empty = CliRunner().invoke(operator_cli.inbox, [], env=harness.env)
    store(inbox, "webhook", "v-1")
    full = CliRunner().invoke(operator_cli.inbox, ["--json"], env=harness.env)

    assert empty.output == "no webhook is kept\n"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", json.loads(full.output)["received"])
