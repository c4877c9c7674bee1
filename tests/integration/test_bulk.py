"""Bulk submits are woken and run in chunks, and each verification has its own outcome."""

import json
import os
import signal
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.local_stack import LocalStack
from demo.server import EmbeddedServer
from satyapan import (
    Conflict,
    InvalidRequest,
    State,
    Unavailable,
    Verification,
    Verifications,
)
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.names import RUN, RUN_QUEUE, RUN_SLOT, Keys
from tests.support.eventually import eventually
from tests.support.worker_harness import Harness

REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
LONG_TIMEOUTS = {
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S": "30",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S": "30",
    "SATYAPAN_WORKER_SOFT_SHUTDOWN_S": "30",
    "SATYAPAN_VISIBILITY_TIMEOUT_S": "60",
}
BARE_CELERY = 18
"""Commands that Celery with a result backend sends for each task."""


def items(count: int, name: str = "k") -> list[dict[str, Any]]:
    return [{"request": REQUEST, "key": f"{name}-{number}"} for number in range(count)]


def ids_of(found: list[Any]) -> list[str]:
    assert all(isinstance(one, Verification) for one in found)
    return [one.id for one in found]


def test_each_item_has_its_verification_or_its_error_in_its_place(harness: Harness) -> None:
    harness.verifications.submit("passport", REQUEST, verification_id="taken")

    found = harness.verifications.submit_many(
        "passport",
        [
            {"request": REQUEST, "verification_id": "one"},
            {"request": {"dob": "never"}, "key": "two"},
            {"request": {**REQUEST, "dob": "2007-03-02"}, "verification_id": "taken"},
            {"request": REQUEST, "verification_id": "taken"},
            {"request": REQUEST, "verification_id": "one"},
            {"request": REQUEST, "verification_id": "x", "typo": 1},
        ],
    )

    assert [type(one) for one in found] == [
        Verification,
        InvalidRequest,
        Conflict,
        Verification,
        Verification,
        InvalidRequest,
    ]
    assert isinstance(found[1], InvalidRequest)
    assert [f.field for f in found[1].faults] == ["file_number", "dob"]
    assert harness.verifications.counts()[State.ACCEPTED] == 2


def test_a_bulk_is_woken_in_chunks(redis_url: str, sandbox: Any) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_CHUNK="20")

    ids = ids_of(harness.verifications.submit_many("passport", items(45)))
    harness.verifications.close()

    messages = harness.redis.lrange(f"satyapan:broker:{RUN_QUEUE}", 0, -1)[::-1]
    bodies = [json.loads(b64decode(json.loads(message)["body"])) for message in messages]
    assert [len(args[0]) for args, *_ in bodies] == [20, 20, 5]
    assert [one for args, *_ in bodies for one in args[0]] == ids


def test_the_sweeper_wakes_in_chunks_too(redis_url: str, sandbox: Any) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_CHUNK="20")
    ids = ids_of(harness.verifications.submit_many("passport", items(45)))
    harness.redis.zadd(harness.parts.ledger.keys.due, dict.fromkeys(ids, 1))

    harness.parts.sweep.once()

    assert [len(woken) for task, woken in harness.woken if task == RUN_SLOT] == [20, 20, 5]


def test_without_a_ledger_each_item_is_unavailable_after_one_attempt(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as server:
        harness = Harness(server.url, "http://127.0.0.1:1")
        server.kill()

        found = harness.verifications.submit_many("passport", items(450))

    assert len(found) == 450
    assert all(isinstance(one, Unavailable) for one in found)


def test_a_whole_chunk_is_run_and_each_row_is_charged_once(redis_url: str, sandbox: Any) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_CONCURRENCY="64")
    ids = ids_of(harness.verifications.submit_many("passport", items(30)))

    harness.parts.engine.run("v-unknown")

    harness.parts.engine.run_all([*ids, *ids[:10], "v-unknown", "no text: \ud800"], RUN)

    assert {harness.read(one).state for one in ids} == {State.DONE}
    charges = Counter(entry["verification_id"] for entry in harness.vendor.charges("passport"))
    assert charges == Counter(ids)
    assert sorted(harness.changes()) == ["done"] * 30


def test_rows_beyond_a_workers_concurrency_go_back_to_the_queue(
    redis_url: str, sandbox: Any
) -> None:
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_CONCURRENCY="4")
    ids = ids_of(harness.verifications.submit_many("passport", items(30)))

    harness.parts.engine.run_all(ids, RUN)

    done = [one for one in ids if harness.read(one).state is State.DONE]
    requeued = [one for task, woken in harness.woken for one in woken if task == RUN]
    assert 0 < len(done) <= 4
    assert sorted(done + requeued) == sorted(ids)


def test_rows_of_a_chunk_beyond_the_quota_wait(redis_url: str, sandbox: Any) -> None:
    own = {"SATYAPAN_QUOTA_PER_MINUTE": "passport=7", "SATYAPAN_WORKER_CONCURRENCY": "20"}
    harness = Harness(redis_url, sandbox.root, **own)
    ids = ids_of(harness.verifications.submit_many("passport", items(20)))

    harness.parts.engine.run_all(ids, RUN)

    assert Counter(harness.read(one).state for one in ids) == {State.DONE: 7, State.ACCEPTED: 13}
    waiting = [harness.row(one) for one in ids if harness.read(one).state is State.ACCEPTED]
    assert {(row.reason, row.attempts) for row in waiting} == {("quota", 0)}


def test_scripts_are_loaded_again_after_the_server_lost_them(harness: Harness) -> None:
    ids = ids_of(harness.verifications.submit_many("passport", items(10)))
    harness.redis.script_flush()

    harness.parts.engine.run_all(ids, RUN)

    assert {harness.read(one).state for one in ids} == {State.DONE}


def test_a_finished_passport_is_small(harness: Harness) -> None:
    row_id = harness.submit("passport")
    harness.settle(row_id)
    ledger = harness.parts.ledger
    key = ledger.keys.row(row_id)

    fields = {name.decode() for name in harness.redis.hkeys(key)}

    assert harness.redis.memory_usage(key, samples=0) < 800
    assert not fields & {"request", "draft", "deadline", "lease", "slot", "tries"}


def delay_calls(stack: LocalStack, *, calls: int, latency_ms: int) -> None:
    """Delay the vendor's next passport calls by more than a loaded machine may stall."""
    fault = {"route": "passport", "latency_ms": latency_ms, "times": calls}
    stack.control("faults", fault)


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_workers_share_rows_that_are_due_at_the_same_time(tmp_path: Path, pool: str) -> None:
    env = {**LONG_TIMEOUTS, "SATYAPAN_WORKER_CONCURRENCY": "4", "SATYAPAN_WORKER_POOL": pool}
    with LocalStack(tmp_path, workers=2, worker_env=env, callbacks=False) as stack:
        delay_calls(stack, calls=8, latency_ms=18_000)
        without_broker = {**stack.env, "SATYAPAN_BROKER_URL": "redis://127.0.0.1:1/0"}
        producer = Verifications.from_env(without_broker)
        ids = ids_of(producer.submit_many("passport", items(8)))

        with redis.Redis.from_url(stack.server.url) as client:
            client.zadd(Keys().due, dict.fromkeys(ids, 1))

        # Two workers with four calls each: all eight are called, even if they came as one chunk.
        eventually(lambda: producer.counts()[State.SENT] == 8)
        for name in ("worker-1", "worker-2"):
            stack.kill_worker(name)  # rather than wait for the answers


def test_a_worker_leaves_messages_beyond_its_concurrency_in_the_queue(tmp_path: Path) -> None:
    env = {**LONG_TIMEOUTS, "SATYAPAN_WORKER_CONCURRENCY": "8", "SATYAPAN_CHUNK": "8"}
    with LocalStack(tmp_path, env=env, callbacks=False) as stack:
        delay_calls(stack, calls=80, latency_ms=18_000)
        producer = stack.verifications()

        ids_of(producer.submit_many("passport", items(80)))
        eventually(lambda: producer.counts()[State.SENT] == 8)
        left = Waker(wake_app(producer._settings)).queued(RUN)
        stack.kill_worker()  # rather than wait for the answers

    # One message is being processed and one is prefetched; two more may come before the count.
    assert left >= 6


def test_a_stopping_worker_finishes_its_calls_and_leaves_the_rest_to_others(
    tmp_path: Path,
) -> None:
    env = {**LONG_TIMEOUTS, "SATYAPAN_WORKER_CONCURRENCY": "2"}
    with LocalStack(tmp_path, worker_env=env, callbacks=False) as stack:
        delay_calls(stack, calls=4, latency_ms=4000)
        verifications = stack.verifications()
        ids = ids_of(verifications.submit_many("passport", items(9)))
        eventually(lambda: verifications.counts()[State.SENT] == 2)

        os.kill(stack.pid(), signal.SIGTERM)
        assert stack._children["worker-1"].process.wait(60) == 0
        left = verifications.counts()
        stack.restart_worker()
        ends = [verifications.wait(one, 60) for one in ids]
        charges = Counter(e["verification_id"] for e in stack.control("audit")["audit"])

    assert left[State.DONE] <= 4
    assert left[State.ACCEPTED] == 9 - left[State.DONE]
    assert {end.state for end in ends} == {State.DONE}
    assert charges == Counter(ids)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    slow = ["--latency-ms", "80", "--quota", "passport=1000"]
    quota = {"SATYAPAN_QUOTA_PER_MINUTE": "passport=1000"}
    with LocalStack(tmp_path, env=quota, sandbox_args=slow, callbacks=False) as running:
        yield running


def test_a_worker_killed_in_the_middle_of_a_chunk_loses_nothing_and_pays_once(
    stack: LocalStack,
) -> None:
    verifications = stack.verifications()
    delay_calls(stack, calls=50, latency_ms=400)
    ids = ids_of(verifications.submit_many("passport", items(50)))
    eventually(lambda: verifications.counts()[State.DONE] >= 8)

    stack.kill_worker()
    left = verifications.counts()
    stack.restart_worker()
    ends = [verifications.wait(one, 60) for one in ids]

    assert left[State.DONE] < 50
    charges = Counter(e["verification_id"] for e in stack.control("audit")["audit"])
    assert charges == Counter(ids)
    # Answers that the killed worker had not stored are lost: at most one for each parallel call.
    parked = [end for end in ends if end.state is State.PARKED]
    assert len(parked) <= stack.settings.worker.concurrency
    assert all(end.reason == "lost_answer" for end in parked)
    assert all(end.state is State.DONE for end in ends if end not in parked)


def test_a_verification_takes_fewer_commands_than_a_bare_celery_task(stack: LocalStack) -> None:
    verifications = stack.verifications()
    _submit_and_wait(verifications, 3)

    with redis.Redis.from_url(stack.server.url) as client, client.monitor() as monitor:
        _submit_and_wait(verifications, 20)
        client.echo("the end")
        seen = _commands(monitor)

    assert len(seen) / 20 < BARE_CELERY


def _submit_and_wait(verifications: Any, count: int) -> None:
    for number in range(count):
        row_id = verifications.submit("passport", REQUEST, key=f"{count}-{number}").id
        verifications.wait(row_id, 20)
    time.sleep(0.3)  # the last acknowledgement


def _commands(monitor: Any) -> list[str]:
    """List the commands that clients sent, without those that an idle worker sends too.

    These are the sweeps, and polling an empty queue again.
    """
    found, polled = [], False
    for entry in monitor.listen():
        command = entry["command"]
        if command == "ECHO the end":
            break
        again = polled and command.startswith("BRPOP")
        if entry["client_type"] != "lua" and not again and not _is_sweep(command):
            found.append(command)
        polled = (polled or command.startswith("BRPOP")) and "unacked_index" not in command
    return found


def _is_sweep(command: str) -> bool:
    sweep = command.startswith("EVALSHA") and command.split()[3].endswith("due")
    beat = command.startswith(("SET satyapan:swept", "HGETALL satyapan:queues", "PING"))
    return sweep or beat
