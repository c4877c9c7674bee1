"""The requests that the client sends, and the answers it returns, also for wire failures."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from satyapan.kinds import Registry
from satyapan.kinds.model import Operation, Role
from worker.engine.vendor import VendorClient
from worker.rules.answer import Outcome
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.client import Cashfree
from worker.vendors.cashfree.wire import Cut, NotSent, Raw, Wire

REPLY = Raw(429, {"retry-after": "9"}, b"")


@dataclass
class Recorder(Wire):
    """A fake wire: records each request, then returns or raises `outcome`."""

    outcome: Raw | Exception = REPLY
    sent: list[tuple[str, str, Mapping[str, str], object, object]] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    clean: list[bool] = field(default_factory=list)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        judge: Callable[[Raw], tuple[Any, bool]],
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        *,
        fresh: bool = False,
    ) -> Any:
        self.sent.append((method, url, headers, json.loads(body) if body else None, params))
        self.fresh.append(fresh)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        judged, clean = judge(self.outcome)
        self.clean.append(clean)
        return judged


def operation(kind: str) -> Operation:
    return Registry()[kind].operation("cashfree")


def client(wire: Recorder) -> VendorClient:
    credentials = Credentials("CF-id", "made-up-secret")
    return Cashfree(wire, credentials, "https://vendor.invalid/verification/", lambda: 0)


def test_a_create_posts_the_request_under_our_id() -> None:
    wire = Recorder()
    request = {"file_number": "PA1", "dob": "2007-03-01", "name": None}

    client(wire).call(operation("passport"), Role.CREATE, "v-1", request)

    method, url, headers, body, params = wire.sent[0]
    assert (method, url, params) == ("POST", "https://vendor.invalid/verification/passport", None)
    assert body == {"verification_id": "v-1", "file_number": "PA1", "dob": "2007-03-01"}
    assert headers["x-client-secret"] == "made-up-secret"
    assert headers["Content-Type"] == "application/json"


def test_a_journey_carries_our_redirect_url_instead_of_the_producers_return_url() -> None:
    wire = Recorder()
    request = {"document_requested": ["PAN"], "return_url": "https://shop.example/"}

    client(wire).call(operation("digilocker"), Role.CREATE, "v-1", request, "https://us.example/r")

    assert wire.sent[0][3] == {
        "document_requested": ["PAN"],
        "verification_id": "v-1",
        "redirect_url": "https://us.example/r",
    }


def test_a_request_cannot_override_the_verification_id() -> None:
    wire = Recorder()

    client(wire).call(operation("passport"), Role.CREATE, "v-1", {"verification_id": "v-2"})

    assert wire.sent[0][3] == {"verification_id": "v-1"}


def test_an_operation_without_a_verification_id_sends_none() -> None:
    wire = Recorder()

    client(wire).call(operation("static_kyc_link"), Role.CREATE, "v-1", {"template_name": "t"})

    assert wire.sent[0][3] == {"template_name": "t"}


def test_a_status_read_names_our_id() -> None:
    wire = Recorder()

    client(wire).call(operation("digilocker"), Role.STATUS, "v-1", {"document_requested": ["PAN"]})

    method, url, _, body, params = wire.sent[0]
    assert (method, url, body) == ("GET", "https://vendor.invalid/verification/digilocker", None)
    assert params == {"verification_id": "v-1"}


def test_a_document_is_named_in_the_path() -> None:
    wire = Recorder()

    client(wire).call(operation("digilocker"), Role.DOCUMENT, "v-1", {}, item="DRIVING_LICENSE")

    assert wire.sent[0][1].endswith("/verification/digilocker/document/DRIVING_LICENSE")


@pytest.mark.parametrize("item", ["", ".", "..", "../x", "A/B", "A?b=c", "A%2F", "A B", "a" * 65])
def test_a_document_name_cannot_change_the_path(item: str) -> None:
    wire = Recorder()

    answer = client(wire).call(operation("digilocker"), Role.DOCUMENT, "v-1", {}, item=item)

    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "item_value_invalid")
    assert wire.sent == []


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (NotSent("dns_failed"), Outcome.NOT_SENT),
        (Cut("body_timeout"), Outcome.UNKNOWN),
    ],
)
def test_a_wire_failure_becomes_an_answer(failure: NotSent | Cut, outcome: Outcome) -> None:
    answer = client(Recorder(failure)).call(operation("passport"), Role.CREATE, "v-1", {})

    assert (answer.outcome, answer.code, answer.http) == (outcome, failure.code, 0)


def test_a_reply_is_classified_on_the_clients_clock() -> None:
    answer = client(Recorder()).call(operation("passport"), Role.CREATE, "v-1", {})

    assert (answer.outcome, answer.http, answer.not_before_s) == (Outcome.THROTTLED, 429, 9)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "too_many_requests_per_ip", True),
        (429, "too_many_requests_per_operation", False),
        (500, "too_many_requests_per_ip", False),
    ],
)
def test_only_a_429_for_our_ip_address_is_account_wide(
    status: int, code: str, expected: bool
) -> None:
    wire = Recorder(Raw(status, {}, json.dumps({"code": code}).encode()))

    assert client(wire).call(operation("passport"), Role.CREATE, "v-1", {}).account_wide is expected
