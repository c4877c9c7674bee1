"""Short calls of the toy operations, for their tests."""

import json
from typing import Any

import requests

from tests.contract.conftest import Receiver, Vendor
from tests.support.eventually import eventually
from tests.support.project import ROOT

TOYS = str(ROOT / "tests" / "support" / "toy_operations")
PAN = {"verification_id": "t-1", "pan": "ABCPV1234D"}
ACCOUNT = {"bank_account": "026291800001191", "ifsc": "YESB0000262", "user_id": "user_1"}
PAY = {"verification_id": "r-1", "name": "John Doe"}


def post(vendor: Vendor, path: str, body: dict[str, Any], **changes: object) -> requests.Response:
    return vendor.call("POST", path, json={**body, **changes})


def signature(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def charges(vendor: Vendor) -> list[tuple[str, bool]]:
    return [(row["charge"], row["answered"]) for row in vendor.read("audit")]


def events(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(receiver.got) >= count)
    return [json.loads(each.raw) for each in receiver.got]
