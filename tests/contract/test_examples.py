"""Every example on the vendor's pages can be reproduced word for word."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.examples import EXAMPLES, GOOD, Example
from tests.contract import vendor_pages
from tests.contract.conftest import KEYS, FixedClock, FixedIds

PATHS = {"passport": "/passport", "digilocker": "/digilocker", "static_link": "/form/static-link"}
DOCUMENTED = list(vendor_pages.examples())
ERRORS = [each for each in EXAMPLES if each.status >= 400]


def label(example: Example | vendor_pages.Documented) -> str:
    return f"{example.operation}/{example.name}"


def memory(example: Example) -> FlaskClient:
    ids = FixedIds(example.body.get("reference_id", 1))
    return create_app(SandboxConfig(**example.config), FixedClock(), ids).test_client()


def send(
    client: FlaskClient,
    operation: str,
    request: Mapping[str, Any],
    headers: Mapping[str, str | None] | None = None,
) -> TestResponse:
    wanted = {**KEYS, **(headers or {})}
    sent = {name: value for name, value in wanted.items() if value is not None}
    return client.post(f"/verification{PATHS[operation]}", json=request, headers=sent)


def provoke(client: FlaskClient, example: Example) -> TestResponse:
    if example.control:
        path, body = example.control
        assert client.post(f"/_control/{path}", json=body).status_code == 200
    if example.repeat:
        first = send(client, example.operation, example.request, example.headers)
        assert first.status_code == 200
    return send(client, example.operation, example.request, example.headers)


def test_the_pages_have_as_many_examples_as_the_table() -> None:
    assert len(DOCUMENTED) == len(EXAMPLES) == 47
    assert len({label(example) for example in EXAMPLES}) == 47


@pytest.mark.parametrize("documented", DOCUMENTED, ids=label)
def test_the_table_agrees_with_the_pages(documented: vendor_pages.Documented) -> None:
    (example,) = (each for each in EXAMPLES if label(each) == label(documented))

    assert (example.status, example.body) == (documented.status, documented.body)


@pytest.mark.parametrize("example", EXAMPLES, ids=label)
def test_the_request_in_the_table_produces_the_example(example: Example) -> None:
    client = memory(example)

    answer = provoke(client, example)

    fixed = {key: value for key, value in example.body.items() if key not in example.varying}
    got = answer.get_json()
    assert answer.status_code == example.status
    assert got.keys() == example.body.keys()
    assert {key: got[key] for key in fixed} == fixed
    assert all(got[key] for key in example.varying)


@pytest.mark.parametrize("example", EXAMPLES, ids=label)
def test_a_fault_can_request_any_example_word_for_word(example: Example) -> None:
    client = create_app(SandboxConfig(), FixedClock(), FixedIds()).test_client()
    fault = {"route": example.operation, "example": label(example)}
    assert client.post("/_control/faults", json=fault).status_code == 200

    answer = send(client, example.operation, GOOD[example.operation])

    assert (answer.status_code, answer.get_json()) == (example.status, example.body)
    assert client.get("/_control/audit").get_json() == {"audit": []}


@pytest.mark.parametrize("example", ERRORS, ids=label)
def test_a_magic_id_requests_an_error(example: Example, client: FlaskClient) -> None:
    magic = f"magic-{example.status}-{example.body['code']}-1"
    field = "template_name" if example.operation == "static_link" else "verification_id"

    answer = send(client, example.operation, {**GOOD[example.operation], field: magic})

    assert answer.status_code == example.status
    assert answer.get_json()["code"] == example.body["code"]
    assert client.get("/_control/audit").get_json() == {"audit": []}


@pytest.mark.parametrize("example", ERRORS, ids=label)
def test_a_refused_call_is_not_charged(example: Example) -> None:
    client = memory(example)

    provoke(client, example)

    audit = client.get("/_control/audit").get_json()["audit"]
    assert len(audit) == (1 if example.repeat else 0)
