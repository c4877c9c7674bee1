"""Injected faults, as the caller sees them on a socket."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.contract.conftest import KEYS, Vendor
from tests.support.eventually import eventually

COUNTER = iter(range(1_000_000))


def request_body() -> dict[str, str]:
    return {
        "verification_id": f"p-{next(COUNTER)}",
        "file_number": "PA2000000000001",
        "dob": "2007-03-01",
    }


def raw_call(vendor: Vendor) -> bytes:
    """Return every byte of the response to one passport call."""
    address = urlsplit(vendor.root)
    body = json.dumps(request_body()).encode()
    headers = {**KEYS, "host": address.netloc, "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"POST /verification/passport HTTP/1.1\r\n{lines}\r\n".encode() + body)
        parts = iter(lambda: connection.recv(65536), b"")
        return b"".join(parts)


def fault(vendor: Vendor, **fields: object) -> None:
    vendor.control("faults", **{"route": "passport", **fields})


def call(vendor: Vendor) -> requests.Response:
    return vendor.call("POST", "/passport", json=request_body())


def outcomes(vendor: Vendor) -> list[bool]:
    return [row["answered"] for row in vendor.read("audit")]


@pytest.mark.parametrize("executed", [True, False])
def test_a_cut_before_the_status_sends_no_byte(vendor: Vendor, executed: bool) -> None:
    fault(vendor, cut="before_status", executed=executed)

    assert raw_call(vendor) == b""
    assert outcomes(vendor) == ([False] if executed else [])
    assert vendor.read("calls")[0]["status"] is None


def test_a_cut_in_the_headers_sends_no_body(vendor: Vendor) -> None:
    fault(vendor, cut="in_headers")

    got = raw_call(vendor)

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in got
    assert outcomes(vendor) == [False]


def test_a_cut_in_the_body_sends_less_than_the_content_length(vendor: Vendor) -> None:
    fault(vendor, cut="in_body")

    head, _, body = raw_call(vendor).partition(b"\r\n\r\n")

    promised = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    assert 0 < len(body) < promised
    assert outcomes(vendor) == [False]


def test_a_refusal_closes_the_port_for_a_while(vendor: Vendor) -> None:
    vendor.control("faults", cut="refuse", seconds=2)
    address = urlsplit(vendor.root)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=30)

    eventually(lambda: answers(vendor))
    assert outcomes(vendor) == [True]


def answers(vendor: Vendor) -> bool:
    """Return True if a call gets an answer; the port may still be closed."""
    try:
        return call(vendor).status_code == 200
    except requests.ConnectionError:
        return False


def test_an_answer_may_have_no_body_as_that_of_a_product_that_is_not_enabled(
    vendor: Vendor,
) -> None:
    fault(vendor, status=404, empty_body=True)

    answer = call(vendor)

    assert (answer.status_code, answer.content) == (404, b"")
    assert outcomes(vendor) == []


def test_a_garbled_answer_is_not_json(vendor: Vendor) -> None:
    fault(vendor, garbled=True)

    answer = call(vendor)

    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert outcomes(vendor) == [False]


def test_a_foreign_answer_has_another_id(vendor: Vendor) -> None:
    fault(vendor, foreign_id=True)

    assert call(vendor).json()["verification_id"] == "somebody-elses-id"
    assert vendor.read("audit")[0]["verification_id"].startswith("p-")


def test_an_oversized_answer_has_at_least_the_requested_size(vendor: Vendor) -> None:
    fault(vendor, oversized=3_000_000)

    answer = call(vendor)

    assert len(answer.content) > 3_000_000
    assert answer.json()["status"] == "VALID"


def test_the_content_type_can_be_wrong_on_request(vendor: Vendor) -> None:
    fault(vendor, wrong_content_type="text/html")

    assert call(vendor).headers["content-type"].startswith("text/html")


def test_a_redirect_executes_nothing(vendor: Vendor) -> None:
    fault(vendor, redirect="https://example.com/elsewhere")

    answer = call(vendor)

    assert (answer.status_code, answer.headers["location"]) == (
        302,
        "https://example.com/elsewhere",
    )
    assert outcomes(vendor) == []


def test_an_error_has_the_documented_text(vendor: Vendor) -> None:
    fault(vendor, status=502, headers={"Retry-After": "7"})

    answer = call(vendor)

    assert (answer.status_code, answer.headers["retry-after"]) == (502, "7")
    assert answer.json() == {
        "type": "internal_error",
        "code": "verification_failed",
        "message": "verification attempt failed",
    }
    assert outcomes(vendor) == []


def test_an_error_may_hide_an_execution(vendor: Vendor) -> None:
    fault(vendor, status=500, executed=True)
    body = request_body()

    first = vendor.call("POST", "/passport", json=body)
    again = vendor.call("POST", "/passport", json=body)

    assert (first.status_code, again.status_code) == (500, 409)
    assert outcomes(vendor) == [False]


def test_any_status_and_code_can_be_requested(vendor: Vendor) -> None:
    fault(vendor, status=418, code="teapot", type="odd", message="short")

    answer = call(vendor)

    assert answer.status_code == 418
    assert answer.json() == {"type": "odd", "code": "teapot", "message": "short"}


def test_latency_comes_after_the_execution(vendor: Vendor) -> None:
    fault(vendor, latency_ms=4000)

    with pytest.raises(requests.ReadTimeout):
        vendor.call("POST", "/passport", json=request_body(), timeout=0.1)

    eventually(lambda: len(vendor.read("audit")) == 1)


def test_faults_are_used_up_in_their_order(vendor: Vendor) -> None:
    fault(vendor, status=500, times=2)
    fault(vendor, status=502)

    assert [call(vendor).status_code for _ in range(4)] == [500, 500, 502, 200]


def test_a_fault_applies_only_to_its_route(vendor: Vendor) -> None:
    vendor.control("faults", route="digilocker", status=500)
    vendor.control("faults", route="*", status=502)

    assert [call(vendor).status_code for _ in range(2)] == [502, 200]
    made = vendor.call(
        "POST", "/digilocker", json={"verification_id": "d", "document_requested": ["PAN"]}
    )
    assert made.status_code == 500


def test_an_unlimited_fault_lasts_until_a_reset(vendor: Vendor) -> None:
    fault(vendor, status=500, times=None)
    assert {call(vendor).status_code for _ in range(5)} == {500}

    vendor.control("reset")

    assert call(vendor).status_code == 200


def test_random_faults_are_repeatable_with_their_seed(vendor: Vendor) -> None:
    def run() -> list[int]:
        vendor.control("reset")
        fault(vendor, status=500, times=None, probability=0.5, seed=7)
        return [call(vendor).status_code for _ in range(20)]

    first = run()

    assert first == run()
    assert set(first) == {200, 500}


def test_a_refused_call_uses_up_no_fault(vendor: Vendor) -> None:
    fault(vendor, status=500)

    refused = vendor.call("POST", "/passport", json=request_body(), headers={})

    assert refused.status_code == 400
    assert call(vendor).status_code == 500


@pytest.mark.parametrize(
    "fields",
    [
        {"stauts": 500},
        {"status": "500"},
        {"cut": "somewhere"},
        {"route": "nowhere"},
        {"executed": False},
        {"garbled": "yes"},
        {"times": 0},
        {"times": "x"},
        {"probability": 2},
        {"latency_ms": True},
    ],
)
def test_an_invalid_fault_is_refused(vendor: Vendor, fields: dict[str, Any]) -> None:
    body = {"route": "passport", **fields}

    answer = requests.post(f"{vendor.root}/_control/faults", json=body, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert call(vendor).status_code == 200
