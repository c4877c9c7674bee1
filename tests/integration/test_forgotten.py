"""Forgotten data leaves Redis' files too, and nothing brings it back."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from config.checks import run_checks
from config.settings import read_settings
from demo.local_stack import LocalStack
from demo.server import EmbeddedServer
from satyapan.errors import Unreadable
from satyapan.ids import child_id
from satyapan.ledger.rows import sealed_name
from satyapan.names import Keys
from satyapan.records import State
from shared.inbox.inbox import Inbox
from tests.conftest import Sandbox
from tests.integration.test_operator_actions import operator, record_visit
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.ledger.rewrite import Rewrite, want_rewrite
from worker.ledger.work_ledger import StaleFence
from worker.operator import cli as operator_cli
from worker.rules.person import ActionRefused

CANARY = b'{"data": {"name": "Kanaricanary Fullname"}}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server whose files the test reads."""
    with EmbeddedServer(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def own_harness(server: EmbeddedServer, sandbox: Sandbox) -> Harness:
    return Harness(server.url, sandbox.root)


def build_rewrite(harness: Harness, client: Any = None) -> Rewrite:
    """Build the worker's step that starts rewrites, without its pause between two steps."""
    ticks = count(0, 10)
    ledger = harness.parts.ledger
    return Rewrite(client or harness.redis, ledger.keys, 60_000, lambda: next(ticks))


def finish_with_webhook(harness: Harness, key: str) -> tuple[str, dict[str, bytes]]:
    """Finish a verification that has a webhook; return its id, and its envelopes by name."""
    row_id, ledger = harness.submit("passport", key), harness.parts.ledger
    client: Any = harness.redis
    stored = client.hgetall(ledger.keys.row(row_id))
    harness.settle(row_id)
    stored |= client.hgetall(ledger.keys.row(row_id))
    sealed = {sealed_name(row_id, name): stored[name.encode()] for name in ("request", "result")}
    harness.parts.ingest._inbox.store(f"webhook-{key}", "cashfree", "X", CANARY, row_id)
    sealed[f"inbox/webhook-{key}"] = client.hget(ledger.keys.inbox(f"webhook-{key}"), "body")
    return row_id, sealed


def files(server: EmbeddedServer) -> bytes:
    """Read all files of the server."""
    paths = [path for path in server.data.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in paths)


def readable_in_files(
    harness: Harness, server: EmbeddedServer, sealed: dict[str, bytes]
) -> list[str]:
    """List the envelopes that are in the files, each of which must open with the key ring."""
    data, ring, found = files(server), harness.parts.ledger.ring, []
    for record, envelope in sealed.items():
        at = data.find(envelope)
        if at >= 0:
            check_opens(ring, record, data[at : at + len(envelope)])
            found.append(record)
    return found


def check_opens(ring: Any, record: str, envelope: bytes) -> None:
    """Fail unless the key ring opens the envelope of this record."""
    try:
        ring.open(record, envelope)
    except Unreadable:
        pytest.fail(f"{record} does not open")


def rewrites_wanted(harness: Harness) -> int:
    ledger = harness.parts.ledger
    return int(harness.redis.zcard(ledger.keys.rewrite_wanted))


def complete_rewrites(harness: Harness, rewrite: Rewrite, left: int = 0) -> None:
    # Data that is forgotten in the millisecond in which a rewrite begins waits for the next one.
    time.sleep(0.005)

    def none_wanted() -> bool:
        rewrite.step()
        return rewrites_wanted(harness) == left

    eventually(none_wanted)


def test_no_forgotten_data_remains_readable_in_the_files(
    own_harness: Harness, server: EmbeddedServer
) -> None:
    row_id, sealed = finish_with_webhook(own_harness, "k")
    _, kept = finish_with_webhook(own_harness, "other")
    assert set(readable_in_files(own_harness, server, sealed)) == set(sealed)

    operator(own_harness).forget(row_id)
    assert set(readable_in_files(own_harness, server, sealed)) == set(sealed), (
        "the files keep the data until the rewrite"
    )
    complete_rewrites(own_harness, build_rewrite(own_harness))

    eventually(lambda: readable_in_files(own_harness, server, sealed) == [])
    # The other's request was deleted when it ended.
    assert len(readable_in_files(own_harness, server, kept)) == 2


def test_a_second_forget_within_the_pause_waits_for_the_next_rewrite(
    own_harness: Harness, server: EmbeddedServer
) -> None:
    rewrite, ledger = build_rewrite(own_harness), own_harness.parts.ledger
    first, _ = finish_with_webhook(own_harness, "k")
    second, sealed = finish_with_webhook(own_harness, "other")
    operator(own_harness).forget(first)
    complete_rewrites(own_harness, rewrite)

    operator(own_harness).forget(second)
    for _ in range(3):
        rewrite.step()
    assert rewrites_wanted(own_harness) == 1
    assert readable_in_files(own_harness, server, sealed)
    own_harness.redis.delete(ledger.keys.rewrite_begun)  # the pause is over
    complete_rewrites(own_harness, rewrite)

    eventually(lambda: readable_in_files(own_harness, server, sealed) == [])


def test_a_rewrite_interrupted_by_a_restart_is_repeated(
    own_harness: Harness, server: EmbeddedServer
) -> None:
    rewrite, ledger = build_rewrite(own_harness), own_harness.parts.ledger
    row_id, sealed = finish_with_webhook(own_harness, "k")
    operator(own_harness).forget(row_id)
    rewrite.step()
    server.kill()
    server.restart()

    rewrite.step()
    assert rewrites_wanted(own_harness) == 1
    own_harness.redis.delete(ledger.keys.rewrite_begun)
    complete_rewrites(own_harness, rewrite)

    eventually(lambda: readable_in_files(own_harness, server, sealed) == [])


def test_a_rewrite_is_requested_only_after_the_last_webhook_is_shredded(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id, _ = finish_with_webhook(harness, "k")
    forget, requested = Inbox.forget, list[int]()

    def forget_and_record(self: Inbox, vendor: str, vendor_ids: Sequence[str]) -> int:
        count = forget(self, vendor, vendor_ids)
        requested.append(rewrites_wanted(harness))
        return count

    monkeypatch.setattr(Inbox, "forget", forget_and_record)

    operator(harness).forget(row_id)

    assert [*requested, rewrites_wanted(harness)] == [0, 1]


def test_a_refused_rewrite_is_logged_and_retried(
    own_harness: Harness, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    row_id, _ = finish_with_webhook(own_harness, "k")
    operator(own_harness).forget(row_id)
    client: Any = own_harness.redis
    client.acl_setuser(
        "limited", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-bgrewriteaof"]
    )
    with redis.Redis(port=server.port, username="limited", password="x") as limited:
        build_rewrite(own_harness, limited).step()

    assert "doesn't rewrite" in caplog.text
    assert rewrites_wanted(own_harness) == 1
    keys = own_harness.parts.ledger.keys
    client.zadd(keys.rewrite_wanted, {"long ago": client.time()[0] * 1000 - 3_600_000})
    found = run_checks(read_settings(own_harness.env), client)
    (late,) = [each for each in found if each.id == "W023"]
    assert "60 minutes" in late.message
    client.delete(keys.rewrite_begun)
    complete_rewrites(own_harness, build_rewrite(own_harness))
    assert "W023" not in {each.id for each in run_checks(read_settings(own_harness.env), client)}


class OverlappingClient:
    """A worker's client; before its rewrite is refused, another worker takes a step."""

    def __init__(self, client: Any, other: Rewrite) -> None:
        self._client = client
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def bgrewriteaof(self) -> None:
        self._other.step()
        raise redis.ResponseError("Can't BGREWRITEAOF now")


def test_a_refused_rewrite_is_not_mistaken_for_an_earlier_finished_one(
    own_harness: Harness, server: EmbeddedServer
) -> None:
    first, _ = finish_with_webhook(own_harness, "k")
    operator(own_harness).forget(first)
    complete_rewrites(own_harness, build_rewrite(own_harness))
    ledger = own_harness.parts.ledger
    own_harness.redis.delete(ledger.keys.rewrite_begun)  # the pause is over
    second, sealed = finish_with_webhook(own_harness, "other")
    operator(own_harness).forget(second)

    client = OverlappingClient(own_harness.redis, build_rewrite(own_harness))
    build_rewrite(own_harness, client).step()

    assert rewrites_wanted(own_harness) == 1
    own_harness.redis.delete(ledger.keys.rewrite_begun)
    complete_rewrites(own_harness, build_rewrite(own_harness))
    eventually(lambda: readable_in_files(own_harness, server, sealed) == [])


def test_without_an_append_only_file_there_is_nothing_to_rewrite(harness: Harness) -> None:
    row_id = harness.settle(harness.submit("passport")).id
    client: Any = harness.redis
    client.config_set("appendonly", "no")
    try:
        operator(harness).forget(row_id)
        build_rewrite(harness).step()
    finally:
        client.config_set("appendonly", "yes")

    assert rewrites_wanted(harness) == 0
    assert not client.exists(harness.parts.ledger.keys.rewrite_begun)


def test_the_command_prints_when_the_file_will_be_rewritten(harness: Harness) -> None:
    row_id = harness.settle(harness.submit("passport")).id

    dry = CliRunner().invoke(operator_cli.forget, [row_id, "--dry-run"], env=harness.env)
    done = CliRunner().invoke(operator_cli.forget, [row_id], env=harness.env)

    assert (dry.exit_code, done.exit_code) == (0, 0)
    assert "append-only file within 10 minutes" in done.output
    assert "append-only" not in dry.output
    assert rewrites_wanted(harness) == 1


def test_a_worker_that_holds_an_answer_does_not_restore_a_forgotten_row(harness: Harness) -> None:
    row_id, ledger = harness.submit("passport"), harness.parts.ledger
    claim = ledger.claim(row_id)
    assert claim is not None
    after = replace(claim.row, state=State.DONE, result={"name": "JOHN DOE"}, due=0)

    def commit() -> None:
        ledger.committing(claim.row, after, ["done"], claim.now, keep=False).now()

    commit()
    operator(harness).forget(row_id)
    commit()  # as a worker does whose first commit was not confirmed
    forgotten = harness.row(row_id)
    harness.redis.delete(ledger.keys.row(row_id))
    with pytest.raises(StaleFence):
        commit()

    assert (forgotten.state, forgotten.result, forgotten.request) == (State.DONE, None, {})
    assert ledger.read(row_id) is None


def test_later_webhooks_about_a_forgotten_visit_are_not_stored(harness: Harness) -> None:
    owner = harness.settle(harness.submit("static_kyc_link", "first"))
    visit = record_visit(harness, owner.link)
    inbox = harness.parts.ingest._inbox
    late = inbox.read("cf-77")  # a worker holds it
    assert late is not None
    operator(harness).forget(visit)

    body = json.dumps({"data": {"verification_id": "cf-77", "form_link": owner.link}}).encode()
    again = inbox.store("again", "cashfree", "KYC_LINK_SUCCESS", body, "cf-77")
    harness.parts.ingest._try(late)

    assert again == "forgotten"
    assert harness.row(visit).result is None
    assert list(inbox.newest(None, 9)) == []


def test_a_visit_is_not_forgotten_before_its_webhook_reached_every_producer(
    redis_url: str, sandbox: Sandbox
) -> None:
    shop, bank = (
        Harness(redis_url, sandbox.root, SATYAPAN_REPLY_TO=name) for name in ("shop", "bank")
    )
    owner = shop.settle(shop.submit("static_kyc_link"))
    bank.settle(bank.submit("static_kyc_link"))
    inbox, ledger = shop.parts.ingest._inbox, shop.parts.ledger
    data = {"verification_id": "cf-77", "form_link": owner.link, "name": "JOHN DOE"}
    body = json.dumps({"data": data}).encode()
    inbox.store("acted", "cashfree", "KYC_LINK_ACTION_PERFORMED", body, "cf-77")
    shop.parts.ingest.take("acted")
    id_key = shop.settings.producer.id_key_bytes()
    shops_visit, banks_visit = (
        child_id(id_key, owner.id, "cf-77", name) for name in ("shop", "bank")
    )
    ledger.make_due(banks_visit)
    claim = ledger.claim(banks_visit)  # a worker holds it
    inbox.store("done", "cashfree", "KYC_LINK_SUCCESS", body, "cf-77")
    shop.parts.ingest.take("done")

    with pytest.raises(ActionRefused, match="still to be worked on"):
        operator(shop).forget(shops_visit)
    assert claim is not None
    ledger.committing(claim.row, claim.row, [], claim.now, keep=False).now()
    shop.parts.ingest.take("done")
    operator(shop).forget(shops_visit)

    assert (shop.row(shops_visit).state, shop.row(shops_visit).result) == (State.DONE, None)
    assert bank.row(banks_visit).state is State.DONE
    assert bank.row(banks_visit).result


def test_a_running_worker_has_the_append_only_file_rewritten(tmp_path: Path) -> None:
    with LocalStack(tmp_path, callbacks=False) as stack:
        client: Any = redis.Redis.from_url(stack.server.url)
        want_rewrite(client, Keys())

        eventually(lambda: not client.exists(Keys().rewrite_wanted))
        assert client.info("persistence")["aof_last_rewrite_time_sec"] >= 0
        client.close()
