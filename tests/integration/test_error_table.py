"""Every example on the vendor's pages, sent by the sandbox, and the resulting state of the row.

tests/contract compares the sandbox's table with the pages, so no example can be missing here.
"""

from typing import Final, NamedTuple

import pytest

from sandbox.examples import EXAMPLES, Example
from satyapan import State
from tests.conftest import Sandbox
from tests.support.worker_harness import Harness


class Expected(NamedTuple):
    """The outcome of a run with one example."""

    state: State
    reason: str = ""
    refused_field: str = ""


DONE: Final = Expected(State.DONE)
QUARANTINED: Final = Expected(State.PARKED, "foreign_duplicate")
IN_DOUBT: Final = State.UNKNOWN
WAITS: Final = State.ACCEPTED
"""Nothing was executed: the account or the route is held, and the row waits without an attempt."""


def refused(code: str, field: str) -> Expected:
    return Expected(State.REFUSED, code, field)


_ALL_OPERATIONS: Final = {
    "Client ID/Client Secret in Missing": Expected(WAITS, "x-client-id_missing"),
    "Using-Test-Credentials-in-Prod": Expected(WAITS, "x-client-secret_value_invalid"),
    "Invalid client ID and client secret combination": Expected(WAITS, "authentication_failed"),
    "IP not whitelisted": Expected(WAITS, "ip_validation_failed"),
    "x-cf-signature header missing": Expected(WAITS, "authentication_failed"),
    "Insufficient balance": Expected(WAITS, "insufficient_balance"),
    "Rate limit error per operation": Expected(WAITS, "too_many_requests_per_operation"),
    "Rate limit error per IP": Expected(WAITS, "too_many_requests_per_ip"),
}
_ID: Final = {
    "Verification ID Missing": refused("verification_id_missing", "verification_id"),
    "Verification ID With Special Chars": refused(
        "verification_id_value_invalid", "verification_id"
    ),
}
_DOCUMENTS: Final = refused("invalid_request", "document_requested")
_REDIRECT: Final = Expected(WAITS, "public_url_refused")  # the URL is ours, not a producer's

TABLE: Final = {
    "passport": {
        **_ALL_OPERATIONS,
        **_ID,
        "Valid Passport": DONE,
        "Invalid Passport": DONE,
        "fileNumber Missing": refused("file_number_missing", "file_number"),
        "DOB Missing": refused("dob_missing", "dob"),
        "Invalid DOB": refused("dob_value_invalid", "dob"),
        "Conflict Error": QUARANTINED,
        "Internal Server Error": Expected(IN_DOUBT, "verification_failed"),
        "Bad Gateway": Expected(IN_DOUBT, "verification_failed"),
    },
    "digilocker": {
        **_ALL_OPERATIONS,
        **_ID,
        "SUCCESS": Expected(State.PENDING),
        "Document Requested Missing": refused("document_requested_missing", "document_requested"),
        "Document Requested Empty": _DOCUMENTS,
        "Invalid Document Requested": _DOCUMENTS,
        "Duplicate Document Requested": _DOCUMENTS,
        "Invalid Redirection Url without https prefix": _REDIRECT,
        "Invalid Redirection Url with https prefix": _REDIRECT,
        # A row that Redis lost: the journey continues under a new vendor-side id.
        "Request with same verification id": Expected(State.PENDING),
        "Internal Server Error": Expected(IN_DOUBT, "verification_failed"),
    },
    "static_link": {
        **_ALL_OPERATIONS,
        "Success": DONE,
        "Template Name Missing": refused("template_name_missing", "template_name"),
        "Template Name Invalid": refused("template_name_value_invalid", "template_name"),
        "Template Name not Found": refused("template_name_not_found", "template_name"),
        "Internal Server Error": Expected(State.PARKED, "unknown_outcome/request_failed"),
    },
}
KINDS: Final = {
    "passport": "passport",
    "digilocker": "digilocker",
    "static_link": "static_kyc_link",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.operation}/{e.name}")
def test_each_example_leads_to_its_state(harness: Harness, example: Example) -> None:
    row_id = harness.submit(KINDS[example.operation])
    if example.status != 200:
        name = f"{example.operation}/{example.name}"
        harness.vendor.post("faults", route=example.operation, example=name)

    found = harness.run_once(row_id)

    expected = TABLE[example.operation][example.name]
    assert (found.state, found.reason, found.refused_field) == expected
    assert harness.vendor.get("faults")["waiting"] == 0


@pytest.mark.parametrize("code", ["insufficient_balance", "ip_validation_failed"])
def test_a_stopped_account_holds_all_calls_and_resumes_by_itself(
    redis_url: str, sandbox: Sandbox, code: str
) -> None:
    # Both are held before the first probe may be sent, even if the machine stalls for a moment.
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_PROBE_S="4")
    harness.vendor.post("stop", code=code)
    first, second = harness.submit("passport", "a"), harness.submit("passport", "b")
    held = [harness.run_once(first), harness.run_once(second)]
    calls = len(harness.vendor.get("calls")["calls"])

    harness.vendor.post("stop", code=None)
    ended = [harness.settle(first), harness.settle(second)]

    assert calls == 1, "the second row must not be called"
    assert [row.attempts for row in held] == [0, 0]
    assert [(row.state, row.attempts) for row in ended] == [(State.DONE, 1)] * 2
    assert len(harness.vendor.charges()) == 2


def test_too_many_calls_from_our_address_hold_every_route(harness: Harness) -> None:
    code = "too_many_requests_per_ip"
    headers = {"Retry-After": "2"}
    harness.vendor.post("faults", route="passport", status=429, code=code, headers=headers)
    held = harness.run_once(harness.submit("passport"))
    other = harness.submit("static_kyc_link")

    ended = harness.settle(other)

    assert (held.state, held.reason, held.attempts) == (State.ACCEPTED, code, 0)
    assert ended.state is State.DONE
    first, second = (call["at"] for call in harness.vendor.get("calls")["calls"])
    assert second - first >= 2


def test_too_many_calls_of_one_operation_hold_its_route_alone(harness: Harness) -> None:
    code = "too_many_requests_per_operation"
    headers = {"Retry-After": "3000"}
    harness.vendor.post("faults", route="passport", status=429, code=code, headers=headers)
    harness.run_once(harness.submit("passport"))

    assert harness.run_once(harness.submit("static_kyc_link")).state is State.DONE


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_product_that_is_not_enabled_is_no_fault_of_the_request(
    harness: Harness, kind: str
) -> None:
    harness.vendor.post("faults", status=404, empty_body=True)

    found = harness.run_once(harness.submit(kind))

    assert (found.state, found.reason, found.refused_field) == Expected(WAITS, "not_enabled")
