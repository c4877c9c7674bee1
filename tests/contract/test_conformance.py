"""Generated requests, made by schemathesis from the excerpts, against a sandbox process.

An excerpt takes part if it has ``generated`` (``excerpts.py``).
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.contract.conftest import KEYS, PLENTY, Vendor, as_a_process
from tests.contract.excerpts import Excerpt, excerpts
from tests.contract.shapes import reply_schema, request_schema

Case = schemathesis.Case[Any]

GENERATED = [excerpt for excerpt in excerpts() if excerpt.generated is not None]
TEXT = {"type": "string"}
ERROR = {"type": "object", "properties": {"type": TEXT, "code": TEXT, "message": TEXT}}

# The pages document 400 for a missing x-client-id, but this check requires 401 or 403.
# test_auth.py tests bad credentials on every route.
CREDENTIALS: list[CheckFunction] = [ignored_auth]

# The page of passports documents 502; `only_the_documented_502` checks it instead.
GATEWAY: list[CheckFunction] = [not_a_server_error]

# The published rules don't say which requests the sandbox has data for;
# `test_valid_requests_are_accepted` sends those.
UNSURE: list[CheckFunction] = [positive_data_acceptance]


def described(*, narrowed: bool) -> schemathesis.schemas.BaseSchema:
    """Describe all operations in OpenAPI, with narrowed rules for valid requests only."""
    paths: dict[str, dict[str, Any]] = {}
    for excerpt in excerpts():
        paths.setdefault(excerpt.path, {})[excerpt.method.lower()] = _operation(excerpt, narrowed)
    info = {"title": "excerpts", "version": "1"}
    description = {"openapi": "3.1.0", "info": info, "paths": paths}
    loaded = schemathesis.openapi.from_dict(description)
    if narrowed:
        loaded.config.generation.update(modes=[GenerationMode.POSITIVE])
    return loaded.include(operation_id=[excerpt.name for excerpt in GENERATED])


def _operation(excerpt: Excerpt, narrowed: bool) -> dict[str, Any]:
    bodies: dict[int, object] = {answer.http: ERROR for answer in excerpt.answers}
    answers = {http: _json(body) for http, body in (bodies | {200: reply_schema(excerpt)}).items()}
    responses = {str(http): {"description": "", **body} for http, body in answers.items()}
    described = {"operationId": excerpt.name, "responses": responses}
    if excerpt.method != "POST":
        return described | {"parameters": _parameters(excerpt)}
    body = _json(request_schema(excerpt, (excerpt.generated or {}) if narrowed else {}))
    return described | {"requestBody": {"required": True, **body}}


def _json(schema: object) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _parameters(excerpt: Excerpt) -> list[dict[str, Any]]:
    in_path = excerpt.path_parameters
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path,
            "schema": {key: value for key, value in rule.items() if key != "required"},
        }
        for name, rule in excerpt.request.items()
    ]


def only_the_documented_502(_: CheckContext, response: Response, __: Case) -> None:
    """Fail on any server error except the one for values that are not test data."""
    if response.status_code >= 500:
        assert response.status_code == 502
        assert "test data" in response.json()["message"]


def roomy(status: int) -> Iterator[Vendor]:
    """Start a sandbox process whose quota no test can use up.

    At the end, fail if a called operation never gave this status: its run proves nothing.
    """
    options = [f"--quota={route}={limit}" for route, limit in PLENTY.items()]
    with as_a_process(*options) as process:
        yield process.vendor
        calls = process.vendor.read("calls")
    named = {excerpt.name for excerpt in GENERATED} & {call["route"] for call in calls}
    assert named == {call["route"] for call in calls if call["status"] == status} & named


@pytest.fixture(scope="module")
def accepting() -> Iterator[Vendor]:
    yield from roomy(200)


@pytest.fixture(scope="module")
def refusing() -> Iterator[Vendor]:
    yield from roomy(400)


# What a run must reach must not depend on chance.
SAME_EVERY_TIME = settings(max_examples=50, deadline=None, derandomize=True)
ANY = described(narrowed=False)
VALID = described(narrowed=True)


@ANY.parametrize()
@SAME_EVERY_TIME
def test_requests_by_the_published_rules_are_answered_in_the_published_shape(
    case: Case, refusing: Vendor
) -> None:
    case.call_and_validate(
        base_url=refusing.base,
        headers=KEYS,
        excluded_checks=CREDENTIALS + GATEWAY + UNSURE,
        additional_checks=[only_the_documented_502],
    )


@VALID.parametrize()
@SAME_EVERY_TIME
def test_valid_requests_are_accepted(case: Case, accepting: Vendor) -> None:
    case.call_and_validate(base_url=accepting.base, headers=KEYS, excluded_checks=CREDENTIALS)
