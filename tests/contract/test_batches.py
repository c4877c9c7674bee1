"""The batches of the sandbox: an answer to each entry, some time after the call."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
import requests

from tests.contract.conftest import Vendor

ACCOUNTS: Final = "/bank-account/bulk"
PANS: Final = "/pan/bulk"
JOHN: Final = {"bank_account": "026291800001191", "ifsc": "YESB0000262", "name": "John Doe"}
NOBODY: Final = {"bank_account": "7766666585146", "ifsc": "YESB0000001"}
TWO_PANS: Final = {"entries": [{"pan": "ABCPV1234D"}, {"pan": "ZZZPA0001A", "name": "Asha N"}]}


def send(vendor: Vendor, path: str, own_id: str, **body: Any) -> requests.Response:
    return vendor.call("POST", path, json={"bulk_verification_id": own_id, **body})


def read(vendor: Vendor, path: str, **by: str) -> Mapping[str, Any]:
    answer = vendor.call("GET", path, params=by)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_entry_is_received_until_it_is_answered(vendor: Vendor) -> None:
    made = send(vendor, ACCOUNTS, "b-1", entries=[JOHN, NOBODY]).json()
    early = read(vendor, ACCOUNTS, bulk_verification_id="b-1")["entries"]
    vendor.control("clock", advance_s=3)

    late = read(vendor, ACCOUNTS, bulk_reference_id=str(made["bulk_reference_id"]))["entries"]

    assert [each["account_status"] for each in early] == ["RECEIVED", "RECEIVED"]
    assert [each["account_status"] for each in late] == ["VALID", "INVALID"]
    assert [each["name_at_bank"] for each in late] == ["JOHN DOE", None]
    same = ("reference_id", "bank_account", "ifsc", "name")
    assert [[e[n] for n in same] for e in early] == [[e[n] for n in same] for e in late]
    assert len(vendor.read("audit")) == 1


def test_a_name_of_the_request_is_in_the_answer_to_an_entry(vendor: Vendor) -> None:
    send(vendor, PANS, "b_1", **TWO_PANS)
    vendor.control("clock", advance_s=3)

    answer = read(vendor, PANS, bulk_verification_id="b_1")

    assert answer["count"] == 2
    assert [each["registered_name"] for each in answer["entries"]] == ["JOHN DOE", "Asha N"]


def test_only_a_repeated_batch_of_accounts_is_refused(vendor: Vendor) -> None:
    accounts = [send(vendor, ACCOUNTS, "b_1", entries=[JOHN]).status_code for _ in range(2)]
    pans = [send(vendor, PANS, "b_1", **TWO_PANS).status_code for _ in range(2)]

    assert (accounts, pans) == ([200, 409], [200, 200])
    assert len(vendor.read("audit")) == 3


def test_an_unknown_batch_of_pans_is_answered_by_the_only_published_error(vendor: Vendor) -> None:
    answer = vendor.call("GET", PANS, params={"bulk_verification_id": "b_1"})

    assert (answer.status_code, answer.json()["code"]) == (500, "request_failed")


@pytest.mark.parametrize(("count", "status"), [(1000, 200), (1001, 400)])
def test_a_batch_has_a_thousand_accounts_at_most(vendor: Vendor, count: int, status: int) -> None:
    answer = send(vendor, ACCOUNTS, "b_1", entries=[JOHN] * count)

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "entries_length_exceeded"
