"""The sandbox answers as published: each answer of each excerpt, over HTTP.

``tests/contract/excerpts.py`` says how an excerpt is written.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from sandbox.config import SandboxConfig
from tests.contract.conftest import KEYS, PLENTY, Vendor, on_a_socket
from tests.contract.data_calls import prepare
from tests.contract.excerpts import Excerpt, PublishedAnswer, cases, label

ANSWERS = [(excerpt, answer) for excerpt, answer in cases() if not answer.no_fixture]
ERRORS = [(excerpt, answer) for excerpt, answer in ANSWERS if not answer.is_reply]
REFUSALS = [
    (excerpt, answer) for excerpt, answer in ERRORS if not answer.error and not answer.is_result
]
RESULTS = [(excerpt, answer) for excerpt, answer in ERRORS if answer.is_result]
MAGIC = [(excerpt, answer) for excerpt, answer in ERRORS if excerpt.method == "POST"]


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Vendor]:
    with on_a_socket(SandboxConfig(quotas=PLENTY)) as vendor:
        yield vendor


@pytest.fixture
def sandbox(shared_sandbox: Vendor) -> Vendor:
    """The module's sandbox, without the state of earlier tests."""
    shared_sandbox.control("reset")
    return shared_sandbox


def ask(
    vendor: Vendor, excerpt: Excerpt, answer: PublishedAnswer, taken: Mapping[str, Any]
) -> requests.Response:
    headers = {k: v for k, v in {**KEYS, **answer.headers}.items() if v is not None}
    request = {**excerpt.request_for(answer), **taken}
    return vendor.call(**excerpt.call(request), headers=headers)


def shape(value: object) -> object:
    """Return a JSON value with the names of types in place of texts and numbers."""
    if isinstance(value, Mapping):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def comparable(body: Mapping[str, Any], varies: tuple[str, ...]) -> dict[str, object]:
    """Return a body with its varying fields as shapes."""
    return {name: shape(value) if name in varies else value for name, value in body.items()}


@pytest.mark.parametrize(("excerpt", "answer"), ANSWERS, ids=label)
def test_the_sandbox_gives_each_published_answer(
    sandbox: Vendor, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    taken = prepare(sandbox, excerpt, answer)

    got = ask(sandbox, excerpt, answer, taken)

    body = got.json()
    if not answer.is_reply and not answer.message:
        assert body.pop("message")
    assert got.status_code == answer.http, body
    varies = ("error", *excerpt.varies)
    assert comparable(body, varies) == comparable(answer.whole_body, varies)


@pytest.mark.parametrize(("excerpt", "answer"), REFUSALS, ids=label)
def test_an_error_is_not_charged(
    sandbox: Vendor, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    taken = prepare(sandbox, excerpt, answer)
    before = sandbox.read("audit")

    ask(sandbox, excerpt, answer, taken)

    assert sandbox.read("audit") == before


@pytest.mark.parametrize(("excerpt", "answer"), RESULTS, ids=label)
def test_an_error_that_is_a_result_is_charged(
    sandbox: Vendor, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    taken = prepare(sandbox, excerpt, answer)

    ask(sandbox, excerpt, answer, taken)

    assert len(sandbox.read("audit")) == 1


@pytest.mark.parametrize(("excerpt", "answer"), MAGIC, ids=label)
def test_a_magic_value_requests_an_error(
    sandbox: Vendor, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    first_field = next(iter(excerpt.request))
    magic = f"magic-{answer.http}-{answer.code}-1"

    got = sandbox.call(**excerpt.call({**excerpt.example, first_field: magic}))

    assert (got.status_code, got.json()["code"]) == (answer.http, answer.code)
    assert sandbox.read("audit") == []
