"""The sandbox's test data against the published shapes: requests and replies, to any depth.

``shapes.py`` says how an excerpt describes a reply.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sandbox.config import SandboxConfig
from sandbox.definitions.loading import load_operations
from sandbox.definitions.model import VendorOperation
from sandbox.python_answers import PYTHON_ANSWERS
from tests.contract.conftest import OPERATIONS, PLENTY, Vendor, on_a_socket
from tests.contract.data_calls import DataCall, data_calls, requests_to_copy, unexercised
from tests.contract.excerpts import Excerpt, PublishedAnswer, cases, excerpts, find_excerpt, label
from tests.contract.shapes import reply_schema, request_schema
from tests.contract.toy_calls import TOYS

CALLS = list(data_calls(OPERATIONS))
TOY_CALLS = [
    call
    for call in data_calls(load_operations(PYTHON_ANSWERS, [Path(TOYS)]))
    if call.operation.name.startswith("toy_")
]
BY_HAND = {"form_status"}
"""Operations that only a test of their own can exercise: a person fills in a form first."""


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Vendor]:
    with on_a_socket(SandboxConfig(quotas=PLENTY)) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def shared_toys() -> Iterator[Vendor]:
    with on_a_socket(SandboxConfig(operations=[TOYS], quotas=PLENTY)) as vendor:
        yield vendor


@pytest.fixture
def toy_sandbox(shared_toys: Vendor) -> Vendor:
    """The sandbox with the toys, without the state of earlier tests."""
    shared_toys.control("reset")
    return shared_toys


@pytest.fixture
def sandbox(shared_sandbox: Vendor) -> Vendor:
    """The module's sandbox, without the state of earlier tests."""
    shared_sandbox.control("reset")
    return shared_sandbox


def named(call: DataCall) -> str:
    return f"{call.operation.name}-{call.name}"


def check(schema: dict[str, Any], value: object) -> None:
    """Fail with every difference between a value and its schema."""
    validator = jsonschema_rs.Draft202012Validator(schema)
    found = [
        f"{'.'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(value)
    ]
    assert not found, "\n".join(found)


def as_sent(excerpt: Excerpt, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request as JSON: a number in a path or a query is sent as text."""
    if excerpt.method == "POST":
        return request
    numbers = {name for name, rule in excerpt.request.items() if rule.get("type") == "integer"}
    return {name: int(value) if name in numbers else value for name, value in request.items()}


# ---- the excerpts themselves ----


@pytest.mark.parametrize(
    ("excerpt", "answer"), [(e, a) for e, a in cases() if a.is_reply], ids=label
)
def test_a_published_reply_has_the_documented_shape(
    excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    check(reply_schema(excerpt), answer.body)


@pytest.mark.parametrize(
    ("excerpt", "answer"), [(e, a) for e, a in cases() if a.is_reply], ids=label
)
def test_the_request_of_a_published_reply_follows_the_published_rules(
    excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    check(request_schema(excerpt), as_sent(excerpt, excerpt.request_for(answer)))


@pytest.mark.parametrize("excerpt", excerpts(), ids=label)
def test_the_example_follows_the_published_rules(excerpt: Excerpt) -> None:
    check(request_schema(excerpt), as_sent(excerpt, dict(excerpt.example)))


# ---- the sandbox ----


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_a_reply_of_the_sandbox_has_the_documented_shape(sandbox: Vendor, call: DataCall) -> None:
    request = call.prepared(sandbox)

    got = sandbox.call(**call.sent(request))

    assert got.status_code == 200, got.text
    check(reply_schema(call.excerpt), got.json())


def test_the_form_of_a_person_has_the_documented_shape(sandbox: Vendor) -> None:
    sandbox.control("webhooks", off=True)
    created = sandbox.call(
        "POST", "/form/static-link", json={"template_name": "Aadhaar_verification"}
    )
    sandbox.open(created.json()["static_link"], name="Asha Namuna")
    own_id = sandbox.read("webhooks")[-1]["verification_id"]

    got = sandbox.call("GET", "/form", params={"verificationID": own_id})

    excerpt = find_excerpt("GET", "/form")
    assert excerpt
    assert got.status_code == 200, got.text
    check(reply_schema(excerpt), got.json())


@pytest.mark.parametrize("call", TOY_CALLS, ids=named)
def test_each_answer_and_stage_is_reached(toy_sandbox: Vendor, call: DataCall) -> None:
    got = toy_sandbox.call(**call.sent(call.prepared(toy_sandbox)))

    assert got.status_code == 200, got.text


def test_every_operation_of_the_sandbox_is_exercised() -> None:
    assert unexercised(OPERATIONS, CALLS) == BY_HAND


@pytest.mark.parametrize(
    ("operation", "request_"),
    [(each, request) for each in OPERATIONS for request in requests_to_copy(each)],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_request_to_copy_follows_the_published_rules(
    operation: VendorOperation, request_: dict[str, Any]
) -> None:
    excerpt = find_excerpt(operation.method, operation.path)

    assert excerpt, f"nothing published about {operation.name}: add a file in vendor/"
    check(request_schema(excerpt), as_sent(excerpt, dict(request_)))
