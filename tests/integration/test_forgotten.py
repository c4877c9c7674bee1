"""What was forgotten is gone from the files too, and nothing brings it back."""

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
from tests.integration.test_operator_actions import operator, visited
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness
from worker.ledger.rewrite import Rewrite, want_rewrite
from worker.ledger.work_ledger import StaleFence
from worker.operator import cli as operator_cli
from worker.rules.person import ActionRefused

CANARY = b'{"data": {"name": "Kanaricanary Fullname"}}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of its own: its files are read."""
    with EmbeddedServer(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def alone(server: EmbeddedServer, sandbox: Sandbox) -> Harness:
    return Harness(server.url, sandbox.root)


def rewriting(harness: Harness, client: Any = None) -> Rewrite:
    """A worker's part that may be asked at once again."""
    ticks = count(0, 10)
    ledger = harness.parts.ledger
    return Rewrite(client or harness.redis, ledger.keys, 60_000, lambda: next(ticks))


def finished(harness: Harness, key: str) -> tuple[str, dict[str, bytes]]:
    """A finished verification with a webhook about it: its id, each sealed envelope by its name."""
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
    """Read all that the server has on disk."""
    paths = [path for path in server.data.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in paths)


def opened(harness: Harness, server: EmbeddedServer, sealed: dict[str, bytes]) -> list[str]:
    """Name the envelopes that are in the files and open with the key ring."""
    data, ring, found = files(server), harness.parts.ledger.ring, []
    for record, envelope in sealed.items():
        at = data.find(envelope)
        if at >= 0:
            ring_opens(ring, record, data[at : at + len(envelope)])
            found.append(record)
    return found


def ring_opens(ring: Any, record: str, envelope: bytes) -> None:
    """Fail unless the envelope opens, as whichever field it was sealed for."""
    try:
        ring.open(record, envelope)
    except Unreadable:
        pytest.fail(f"{record} does not open")


def wanted(harness: Harness) -> int:
    ledger = harness.parts.ledger
    return int(harness.redis.zcard(ledger.keys.rewrite_wanted))


def carried_out(harness: Harness, rewrite: Rewrite, left: int = 0) -> None:
    # What was forgotten in the millisecond in which a rewrite begins waits for the next one.
    time.sleep(0.005)

    def none_wanted() -> bool:
        rewrite.step()
        return wanted(harness) == left

    eventually(none_wanted)


def test_files_hold_nothing_that_opens_after_forget(alone: Harness, server: EmbeddedServer) -> None:
    row_id, sealed = finished(alone, "k")
    _, kept = finished(alone, "other")
    assert set(opened(alone, server, sealed)) == set(sealed)

    operator(alone).forget(row_id)
    assert set(opened(alone, server, sealed)) == set(sealed), "shredding alone leaves the files"
    carried_out(alone, rewriting(alone))

    eventually(lambda: opened(alone, server, sealed) == [])
    assert len(opened(alone, server, kept)) == 2  # its request went when it ended


def test_a_second_forget_within_the_pause_waits_for_the_next_rewrite(
    alone: Harness, server: EmbeddedServer
) -> None:
    rewrite, ledger = rewriting(alone), alone.parts.ledger
    first, _ = finished(alone, "k")
    second, sealed = finished(alone, "other")
    operator(alone).forget(first)
    carried_out(alone, rewrite)

    operator(alone).forget(second)
    for _ in range(3):
        rewrite.step()
    assert wanted(alone) == 1
    assert opened(alone, server, sealed)
    alone.redis.delete(ledger.keys.rewrite_begun)  # the pause is over
    carried_out(alone, rewrite)

    eventually(lambda: opened(alone, server, sealed) == [])


def test_a_rewrite_that_a_restart_cut_off_is_begun_again(
    alone: Harness, server: EmbeddedServer
) -> None:
    rewrite, ledger = rewriting(alone), alone.parts.ledger
    row_id, sealed = finished(alone, "k")
    operator(alone).forget(row_id)
    rewrite.step()
    server.kill()
    server.restart()

    rewrite.step()
    assert wanted(alone) == 1
    alone.redis.delete(ledger.keys.rewrite_begun)
    carried_out(alone, rewrite)

    eventually(lambda: opened(alone, server, sealed) == [])


def test_a_rewrite_is_asked_for_only_after_the_last_webhook_is_shredded(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id, _ = finished(harness, "k")
    forget, asked_for = Inbox.forget, list[int]()

    def watched(self: Inbox, vendor: str, vendor_ids: Sequence[str]) -> int:
        count = forget(self, vendor, vendor_ids)
        asked_for.append(wanted(harness))
        return count

    monkeypatch.setattr(Inbox, "forget", watched)

    operator(harness).forget(row_id)

    assert [*asked_for, wanted(harness)] == [0, 1]


def test_a_refused_rewrite_is_told_and_tried_again(
    alone: Harness, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    row_id, _ = finished(alone, "k")
    operator(alone).forget(row_id)
    client: Any = alone.redis
    client.acl_setuser(
        "limited", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-bgrewriteaof"]
    )
    with redis.Redis(port=server.port, username="limited", password="x") as limited:
        rewriting(alone, limited).step()

    assert "doesn't rewrite" in caplog.text
    assert wanted(alone) == 1
    keys = alone.parts.ledger.keys
    client.zadd(keys.rewrite_wanted, {"long ago": client.time()[0] * 1000 - 3_600_000})
    found = run_checks(read_settings(alone.env), client)
    (late,) = [each for each in found if each.id == "W023"]
    assert "60 minutes" in late.message
    client.delete(keys.rewrite_begun)
    carried_out(alone, rewriting(alone))
    assert "W023" not in {each.id for each in run_checks(read_settings(alone.env), client)}


class OverlappingClient:
    """A worker's connection: before its rewrite is refused, another worker looks."""

    def __init__(self, client: Any, other: Rewrite) -> None:
        self._client = client
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def bgrewriteaof(self) -> None:
        self._other.step()
        raise redis.ResponseError("Can't BGREWRITEAOF now")


def test_an_earlier_rewrite_is_not_taken_for_one_that_was_refused(
    alone: Harness, server: EmbeddedServer
) -> None:
    first, _ = finished(alone, "k")
    operator(alone).forget(first)
    carried_out(alone, rewriting(alone))
    ledger = alone.parts.ledger
    alone.redis.delete(ledger.keys.rewrite_begun)  # the pause is over
    second, sealed = finished(alone, "other")
    operator(alone).forget(second)

    client = OverlappingClient(alone.redis, rewriting(alone))
    rewriting(alone, client).step()

    assert wanted(alone) == 1
    alone.redis.delete(ledger.keys.rewrite_begun)
    carried_out(alone, rewriting(alone))
    eventually(lambda: opened(alone, server, sealed) == [])


def test_without_an_append_only_file_there_is_nothing_to_rewrite(harness: Harness) -> None:
    row_id = harness.settle(harness.submit("passport")).id
    client: Any = harness.redis
    client.config_set("appendonly", "no")
    try:
        operator(harness).forget(row_id)
        rewriting(harness).step()
    finally:
        client.config_set("appendonly", "yes")

    assert wanted(harness) == 0
    assert not client.exists(harness.parts.ledger.keys.rewrite_begun)


def test_the_command_says_when_the_files_will_be_clean(harness: Harness) -> None:
    row_id = harness.settle(harness.submit("passport")).id

    dry = CliRunner().invoke(operator_cli.forget, [row_id, "--dry-run"], env=harness.env)
    done = CliRunner().invoke(operator_cli.forget, [row_id], env=harness.env)

    assert (dry.exit_code, done.exit_code) == (0, 0)
    assert "append-only file within 10 minutes" in done.output
    assert "append-only" not in dry.output
    assert wanted(harness) == 1


def test_an_answer_in_hand_does_not_bring_a_forgotten_row_back(harness: Harness) -> None:
    row_id, ledger = harness.submit("passport"), harness.parts.ledger
    claim = ledger.claim(row_id)
    assert claim is not None
    after = replace(claim.row, state=State.DONE, result={"name": "JOHN DOE"}, due=0)

    def commit() -> None:
        ledger.committing(claim.row, after, ["done"], claim.now, keep=False, alias="").now()

    commit()
    operator(harness).forget(row_id)
    commit()  # as a worker does that didn't hear the first confirmed
    forgotten = harness.row(row_id)
    harness.redis.delete(ledger.keys.row(row_id))
    with pytest.raises(StaleFence):
        commit()

    assert (forgotten.state, forgotten.result, forgotten.request) == (State.DONE, None, {})
    assert ledger.read(row_id) is None


def test_news_of_a_forgotten_visit_is_not_kept(harness: Harness) -> None:
    owner = harness.settle(harness.submit("static_kyc_link", "first"))
    visit = visited(harness, owner.link)
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


def test_a_visit_is_not_forgotten_before_every_producer_was_told(
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
    mine, theirs = (child_id(id_key, owner.id, "cf-77", name) for name in ("shop", "bank"))
    ledger.make_due(theirs)
    claim = ledger.claim(theirs)  # a worker is busy with it
    inbox.store("done", "cashfree", "KYC_LINK_SUCCESS", body, "cf-77")
    shop.parts.ingest.take("done")

    with pytest.raises(ActionRefused, match="still to be worked on"):
        operator(shop).forget(mine)
    assert claim is not None
    ledger.committing(claim.row, claim.row, [], claim.now, keep=False, alias="").now()
    shop.parts.ingest.take("done")
    operator(shop).forget(mine)

    assert (shop.row(mine).state, shop.row(mine).result) == (State.DONE, None)
    assert bank.row(theirs).state is State.DONE
    assert bank.row(theirs).result


def test_a_running_worker_has_the_file_rewritten(tmp_path: Path) -> None:
    with LocalStack(tmp_path, callbacks=False) as stack:
        client: Any = redis.Redis.from_url(stack.server.url)
        want_rewrite(client, Keys())

        eventually(lambda: not client.exists(Keys().rewrite_wanted))
        assert client.info("persistence")["aof_last_rewrite_time_sec"] >= 0
        client.close()
