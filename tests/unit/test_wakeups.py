"""Which messages are accepted as wake-ups, and what is logged about the others."""

import json
import logging
from hashlib import sha256
from typing import Any

import pytest

from satyapan.names import INGEST, RUN, RUN_HIGH, RUN_QUEUE, RUN_SLOT, STATUS_CHECK
from satyapan.settings.declaration import declared
from satyapan.settings.producer import ProducerSettings
from tests.support.broken_messages import broken, envelope, unacknowledged
from worker.broker.wakeups import MOST_BYTES, MOST_IDS, take, take_back

CANARY = "Asha-Rao-1984"
BROKEN = broken()
UNACKNOWLEDGED = unacknowledged()


def raw(message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_is_dropped_with_one_log_line(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert take(BROKEN[name], RUN_QUEUE) is None

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    logged = {key: vars(record)[key] for key in ("queue", "size", "digest")}
    digest = sha256(BROKEN[name]).hexdigest()[:16]
    assert logged == {"queue": RUN_QUEUE, "size": len(BROKEN[name]), "digest": digest}


@pytest.mark.parametrize("name", UNACKNOWLEDGED)
def test_a_broken_message_is_not_returned_to_its_queue(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert take_back(UNACKNOWLEDGED[name]) is None
    assert len(caplog.records) == 1


def test_nothing_of_a_broken_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    for message in (
        envelope([CANARY + " "]),
        envelope(task=CANARY),
        envelope(body=CANARY),
        CANARY,
        envelope() | {"content-type": CANARY},
        envelope(headers={"eta": CANARY}),
    ):
        assert take(raw(message), RUN_QUEUE) is None

    assert CANARY not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("task", [RUN, RUN_HIGH, RUN_SLOT, STATUS_CHECK, INGEST])
def test_a_valid_message_keeps_its_parts(task: str) -> None:
    ids = ["0" * 64] if task == INGEST else ["v-1"]
    sent = envelope(ids, task=task)

    accepted = take(raw(sent), RUN_QUEUE)

    assert accepted is not None
    assert accepted["body"] == sent["body"]
    assert accepted["headers"]["task"] == task
    assert accepted["properties"] == sent["properties"]
    assert take_back(raw([accepted, "", RUN_QUEUE])) == (accepted, RUN_QUEUE)


def test_parts_that_a_worker_does_not_need_are_dropped() -> None:
    sent = envelope(headers={"timelimit": ["x"], "retries": [], "x": CANARY}, x=CANARY)

    assert CANARY not in str(take(raw(sent), RUN_QUEUE))
    assert "timelimit" not in str(take(raw(sent), RUN_QUEUE))
    assert take_back(raw([sent, "", RUN_QUEUE])) == (take(raw(sent), RUN_QUEUE), RUN_QUEUE)


def test_the_largest_chunk_of_the_longest_ids_is_accepted() -> None:
    sent = raw(envelope([f"{n:050}" for n in range(MOST_IDS)], headers={"origin": "x" * 1_000}))

    assert len(sent) < MOST_BYTES
    assert take(sent, RUN_QUEUE) is not None


def test_the_chunk_setting_is_bounded_by_the_ids_that_a_message_may_carry() -> None:
    checks: list[Any] = [
        check
        for each in declared(ProducerSettings)
        if each.attribute == "chunk"
        for check in each.checks
    ]
    assert [check.max for check in checks] == [MOST_IDS]
