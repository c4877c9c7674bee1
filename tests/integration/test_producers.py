"""Producers of one installation have separate verifications and events, and share links."""

from collections.abc import Callable
from typing import Any

import pytest

from satyapan import Conflict, SatyapanError, Verifications
from satyapan.ids import derive_id
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness
from worker.operator.actions import OperatorActions

PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
SHOP, BANK = "canary-shop", "canary-bank"
Submit = Callable[[Verifications, str], Any]


@pytest.fixture
def shop(redis_url: str, sandbox: Sandbox) -> Harness:
    return Harness(redis_url, sandbox.root, SATYAPAN_REPLY_TO=SHOP)


@pytest.fixture
def bank(redis_url: str, sandbox: Sandbox) -> Harness:
    return Harness(redis_url, sandbox.root, SATYAPAN_REPLY_TO=BANK)


def test_two_producers_with_the_same_key_have_two_verifications(
    shop: Harness, bank: Harness
) -> None:
    ids = [each.submit("passport", "customer-17") for each in (shop, bank)]

    ended = [each.settle(row_id) for each, row_id in zip((shop, bank), ids, strict=True)]

    assert ids[0] != ids[1]
    assert [found.status for found in ended] == ["VALID", "VALID"]
    assert [found.result["verification_id"] for found in ended if found.result] == ids
    assert len(shop.vendor.charges("passport")) == 2


def test_each_producer_gets_the_events_of_its_own(shop: Harness, bank: Harness) -> None:
    ids = [each.submit("passport", "customer-17") for each in (shop, bank)]
    for row_id in ids:
        shop.settle(row_id)

    received = [
        [event.verification_id for event in each.verifications.events("g", block=0.01)]
        for each in (shop, bank)
    ]

    assert received == [[ids[0]], [ids[1]]]


def test_a_producers_repeat_is_the_same_verification(shop: Harness) -> None:
    again = Verifications(shop.settings.producer)

    first = shop.submit("passport", "customer-17")

    assert again.submit("passport", shop.example("passport"), key="customer-17").id == first
    assert sum(again.counts().values()) == 1


def single(client: Verifications, row_id: str) -> Any:
    try:
        return client.submit("passport", PERSON, verification_id=row_id)
    except SatyapanError as error:
        return error


def bulk(client: Verifications, row_id: str) -> Any:
    return client.submit_many("passport", [{"request": PERSON, "verification_id": row_id}])[0]


@pytest.mark.parametrize("submit", [single, bulk])
def test_the_id_of_another_producer_is_a_conflict_that_does_not_name_it(
    shop: Harness, bank: Harness, submit: Submit
) -> None:
    assert submit(shop.verifications, "order-17").id == "order-17"
    before, woken = shop.row("order-17"), list(bank.woken)

    refused = submit(bank.verifications, "order-17")

    assert isinstance(refused, Conflict)
    assert vars(refused) == {"verification_id": "order-17"}
    assert "canary" not in f"{refused!r} {refused} {refused.args}"
    assert shop.row("order-17") == before
    assert bank.woken == woken
    assert shop.vendor.charges() == []


@pytest.mark.parametrize("submit", [single, bulk])
def test_the_derived_id_of_another_producer_is_a_conflict_too(
    shop: Harness, bank: Harness, submit: Submit
) -> None:
    shops_id = shop.submit("passport", "customer-17", **PERSON)

    assert isinstance(submit(bank.verifications, shops_id), Conflict)


def test_an_id_cannot_be_derived_from_the_installations_key_alone(shop: Harness) -> None:
    found = shop.submit("passport", "customer-17")

    assert found != derive_id(shop.settings.producer.id_key_bytes(), "passport", "customer-17")


def test_a_static_link_is_shared_and_retired_across_producers(shop: Harness, bank: Harness) -> None:
    owner = shop.settle(shop.submit("static_kyc_link", "mine"))
    copy = bank.settle(bank.submit("static_kyc_link", "mine"))

    assert owner.id != copy.id
    assert owner.link == copy.link
    assert len(shop.vendor.charges("static_link")) == 1

    ledger, inbox = bank.parts.ledger, bank.parts.ingest._inbox
    operator = OperatorActions(
        ledger, inbox, bank.parts.kinds, bank.parts.policy, bank.wake, "test"
    )
    operator.retire(copy.id)

    later = bank.settle(bank.submit("static_kyc_link", "later"))
    same = shop.settle(shop.submit("static_kyc_link", "later"))
    assert owner.link != later.link == same.link
    assert len(shop.vendor.charges("static_link")) == 2


def test_a_link_whose_row_lacks_its_resource_is_shared_and_retired(
    shop: Harness, bank: Harness
) -> None:
    """An older version wrote such rows: their digest is the name of the resource."""
    old = shop.settle(shop.submit("static_kyc_link", "old"))
    ledger = shop.parts.ledger
    redis, row_key = shop.redis, ledger.keys.row(old.id)
    redis.hset(row_key, "digest", shop.row(old.id).resource)
    redis.hdel(row_key, "resource")

    assert bank.settle(bank.submit("static_kyc_link")).link == old.link

    OperatorActions(
        ledger, shop.parts.ingest._inbox, shop.parts.kinds, shop.parts.policy, shop.wake, "test"
    ).retire(old.id)
    assert bank.settle(bank.submit("static_kyc_link", "next")).link != old.link
