"""No reply reaches another call, whatever the vendor sends before, after or instead of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from tests.support.certificate import self_signed, tls
from tests.support.misbehaving_vendor import MisbehavingVendor
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.client import Cashfree
from worker.vendors.cashfree.wire import Limits, Wire

THREADS = 8
LIMITS = Limits(connect_s=20, read_s=20, total_s=40, pool_size=THREADS)
CREDENTIALS = Credentials("CF-id", "made-up-secret")
DIGILOCKER = Registry()["digilocker"].operation("cashfree")


def read(vendor: Cashfree, vendor_id: str) -> Answer:
    return vendor.call(DIGILOCKER, Role.STATUS, vendor_id, {})


def meant_id(answer: Answer) -> str:
    """Return the id that the vendor meant, from a field that the client doesn't check."""
    if answer.body is not None:
        return str(answer.body["user_details"]["name"])
    return answer.code if answer.outcome is Outcome.REFUSED else ""


def read_many(vendor: Cashfree, count: int) -> list[tuple[str, Answer]]:
    ids = [f"id-{number}" for number in range(count)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(zip(ids, pool.map(lambda one: read(vendor, one), ids), strict=True))


@pytest.mark.parametrize(("secure", "count"), [(False, 10_000), (True, 2_000)], ids=["tcp", "tls"])
def test_no_answer_reaches_another_call(tmp_path: Path, secure: bool, count: int) -> None:
    certificate = self_signed(tmp_path)
    context = tls(certificate) if secure else None
    with MisbehavingVendor(7, context) as server:
        vendor = Cashfree(Wire(LIMITS, ca_file=str(certificate)), CREDENTIALS, server.url)

        answers = read_many(vendor, count)

    received = [(one, meant_id(answer)) for one, answer in answers if meant_id(answer)]
    assert [(one, whose) for one, whose in received if one != whose] == []
    assert {answer.outcome for _, answer in answers} == {
        Outcome.OK,
        Outcome.REFUSED,
        Outcome.UNKNOWN,
    }
    assert len(received) > count * 0.6
    assert len(server.played) == 28
    assert server.accepted < count / 2


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_good_exchanges_share_a_connection_for_each_thread(tmp_path: Path, secure: bool) -> None:
    certificate = self_signed(tmp_path)
    context = tls(certificate) if secure else None
    with MisbehavingVendor(7, context, share=0) as server:
        vendor = Cashfree(Wire(LIMITS, ca_file=str(certificate)), CREDENTIALS, server.url)

        answers = read_many(vendor, 1000)

    assert {answer.outcome for _, answer in answers} == {Outcome.OK, Outcome.REFUSED}
    assert server.accepted <= THREADS
