"""A kind with two operations of one vendor, on a real worker's parts and the real sandbox."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from satyapan.cli.main import main
from satyapan.kinds.identity.passport import PASSPORT
from satyapan.kinds.tax.pan_lite import PAN_LITE
from satyapan.records import State
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness
from worker.operator.actions import OperatorActions

OTHER = replace(
    PASSPORT.operation("cashfree"),
    create=replace(PASSPORT.operation("cashfree").create, name="other", per_minute=7),
)
TWO = replace(
    PASSPORT,
    name="two",
    operations={"cashfree": PAN_LITE.operation("cashfree"), "cashfree/other": OTHER},
)
"""Its usual operation would refuse the example."""


@pytest.fixture
def harness(redis_url: str, sandbox: Sandbox) -> Harness:
    return Harness(redis_url, sandbox.root, SATYAPAN_KINDS=f"{__name__}:TWO")


def submit(harness: Harness, operation: str | None) -> str:
    example = dict(TWO.example)
    return harness.verifications.submit("two", example, key="k", operation=operation).id


def test_a_row_is_served_by_the_operation_that_it_stores(harness: Harness) -> None:
    ended = harness.settle(submit(harness, "other"))

    assert (ended.state, ended.status) == (State.DONE, "VALID")
    assert [each["charge"] for each in harness.vendor.charges()] == ["passport"]


def test_the_command_line_chooses_an_operation(harness: Harness) -> None:
    words = ["submit", "two", "--id", "v-1", "--operation", "other", "--data"]

    done = CliRunner().invoke(main, [*words, json.dumps(dict(TWO.example))], env=harness.env)

    assert done.exit_code == 0, done.output
    assert harness.row("v-1").vendor == "cashfree/other"


def test_without_a_choice_it_is_the_usual_one(harness: Harness) -> None:
    ended = harness.settle(submit(harness, None))

    assert (ended.state, ended.refused_field) == (State.REFUSED, "pan")


def test_a_row_of_an_operation_that_this_worker_does_not_know_is_left_to_another(
    harness: Harness,
) -> None:
    row_id = submit(harness, "other")
    row_key = harness.parts.ledger.keys.row(row_id)
    harness.redis.hset(row_key, "vendor", "cashfree/newer")

    left = harness.run_once(row_id)
    due, calls = harness.row(row_id).due, harness.vendor.get("calls")["calls"]
    harness.redis.hset(row_key, "vendor", "cashfree/other")
    harness.hurry(row_id)
    ended = harness.settle(row_id)

    assert (left.reason, calls) == ("operation_not_known_here", [])
    assert due > harness.parts.ledger.now()
    assert (ended.state, ended.status) == (State.DONE, "VALID")


def test_forgetting_finds_the_webhooks_of_the_vendor(harness: Harness) -> None:
    row_id = submit(harness, "other")
    harness.settle(row_id)
    inbox = harness.parts.ingest._inbox
    inbox.store("w-1", "cashfree", "AN_EVENT", b"{}", row_id)
    assert inbox.ids_about("cashfree", [row_id]) == ["w-1"]

    parts = harness.parts
    operator = OperatorActions(parts.ledger, inbox, parts.kinds, parts.policy, harness.wake, "asha")
    operator.forget(row_id)

    assert inbox.ids_about("cashfree", [row_id]) == []
