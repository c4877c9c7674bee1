"""A kind with more than one operation: how a producer chooses one, and what is stored of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.kinds_page import operation_tables
from satyapan import InvalidRequest, Verification
from satyapan.cli.main import main
from satyapan.kinds import Registry
from satyapan.kinds.identity.passport import PASSPORT
from satyapan.kinds.model import Kind, Route, vendor_of
from satyapan.records import State
from satyapan.testing import FakeVerifications
from tests.support.worker_harness import environment

PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
USUAL = PASSPORT.operation("cashfree")
OTHER = replace(
    USUAL,
    create=Route("other", "POST", "/other"),
    status_map={"FOUND": State.DONE},
    events={"OTHER_EVENT": ""},
)
TWO = replace(PASSPORT, name="two", operations={"cashfree": USUAL, "cashfree/other": OTHER})
"""A kind that the vendor serves in two ways."""


@pytest.fixture
def fake() -> FakeVerifications:
    return FakeVerifications(kinds=[f"{__name__}:TWO"])


def served_by(fake: FakeVerifications, verification: object) -> str:
    assert isinstance(verification, Verification)
    row = fake._ledger.read(verification.id)
    assert row is not None
    return row.vendor


def test_the_vendor_is_the_first_part_of_a_key() -> None:
    assert vendor_of("cashfree") == vendor_of("cashfree/other") == "cashfree"


def test_a_row_stores_the_operation_that_its_producer_chose(fake: FakeVerifications) -> None:
    usual = fake.submit("two", PERSON, key="a")
    other = fake.submit("two", PERSON, key="b", operation="other")

    assert served_by(fake, usual) == "cashfree"
    assert served_by(fake, other) == "cashfree/other"


def test_items_of_a_bulk_choose_each_for_itself(fake: FakeVerifications) -> None:
    items: list[Mapping[str, Any]] = [
        {"request": PERSON, "key": "a"},
        {"request": PERSON, "key": "b", "operation": "other"},
        {"request": PERSON, "key": "c", "operation": None},
        {"request": PERSON, "key": "d", "operation": "none"},
    ]

    *found, refused = fake.submit_many("two", items)

    assert [served_by(fake, each) for each in found] == ["cashfree", "cashfree/other", "cashfree"]
    assert isinstance(refused, InvalidRequest)


def test_the_operation_counts_at_the_first_submit(fake: FakeVerifications) -> None:
    first = fake.submit("two", PERSON, key="a")

    assert fake.submit("two", PERSON, key="a", operation="other") == first
    assert served_by(fake, first) == "cashfree"


@pytest.mark.parametrize(
    ("kind", "operation", "message"),
    [
        ("two", "none", "choose other, or leave it out for the usual operation."),
        ("two", "", "choose other, or leave it out for the usual operation."),
        ("two", 5, "choose other, or leave it out for the usual operation."),
        ("passport", "other", "leave it out: passport has only its usual operation."),
    ],
)
def test_an_operation_that_a_kind_does_not_have_is_refused_with_those_that_it_has(
    fake: FakeVerifications, kind: str, operation: Any, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        fake.submit(kind, {**PERSON, "dob": "x"}, key="a", operation=operation)

    fault, dob = caught.value.faults
    assert (fault.field, fault.code) == ("operation", "operation_value_invalid")
    assert fault.message == message
    assert dob.field == "dob"
    assert sum(fake.counts().values()) == 0


def test_a_fake_answers_with_the_statuses_of_the_rows_operation(fake: FakeVerifications) -> None:
    other = fake.submit("two", PERSON, key="a", operation="other")

    with pytest.raises(ValueError, match="FOUND"):
        fake.answer(other.id, status="VALID")
    fake.answer(other.id, status="FOUND")

    assert fake.wait(other.id).status == "FOUND"


def test_an_event_of_another_operation_belongs_to_the_same_vendor() -> None:
    assert Registry([TWO]).for_event("cashfree", "OTHER_EVENT") == [(TWO, OTHER)]


def test_a_route_of_two_operations_is_listed_once() -> None:
    both = replace(TWO, operations={"cashfree": USUAL, "cashfree/other": USUAL})

    names = [route.name for route in Registry([both]).routes()]

    assert names.count("passport") == 1
    assert len(names) == len(set(names))


def test_routes_of_one_name_are_one_for_the_quota() -> None:
    every = [o for kind in Registry() for o in kind.operations.values()]
    routes = [route for o in every for route in (o.create, o.status, o.document) if route]

    called = {(each.name, each.method, each.path, each.per_minute) for each in routes}

    assert len(called) == len({each.name for each in routes})


@pytest.mark.parametrize("kind", tuple(Registry()), ids=lambda kind: str(kind.name))
def test_each_vendor_of_a_kind_has_a_usual_operation(kind: Kind) -> None:
    assert {vendor_of(key) for key in kind.operations} <= set(kind.operations)


# ---- what people see ----


def cli(*words: str) -> Result:
    nowhere = environment("redis://127.0.0.1:1/0", "http://127.0.0.1:1")
    return CliRunner().invoke(main, words, env={**nowhere, "SATYAPAN_KINDS": f"{__name__}:TWO"})


def test_the_command_line_lists_the_operations_of_a_kind() -> None:
    text, data = cli("kinds", "two").stdout, json.loads(cli("kinds", "two", "--json").stdout)

    assert "\nOperations\n  cashfree  sync  usual\n  cashfree  sync  --operation other\n" in text
    assert data["operations"] == [
        {"vendor": "cashfree", "operation": None, "mode": "sync"},
        {"vendor": "cashfree", "operation": "other", "mode": "sync"},
    ]


def test_the_command_line_refuses_an_operation_that_the_kind_does_not_have() -> None:
    refused = cli(
        "submit", "two", "--key", "a", "--operation", "none", "--data", json.dumps(PERSON)
    )

    assert refused.exit_code == 2
    assert "choose other, or leave it out" in refused.stderr


def test_the_page_of_kinds_says_how_each_operation_is_chosen() -> None:
    page = "\n".join(operation_tables(TWO))

    assert "| operation | the usual one |" in page
    assert '| operation | `other`: `submit(..., operation="other")`' in page
    assert "| operation |" not in "\n".join(operation_tables(PASSPORT))
