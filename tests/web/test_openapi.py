"""The OpenAPI document is complete and valid, and responses to generated requests match it."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import positive_data_acceptance
from werkzeug.serving import make_server

from callbacks.app import create_app
from callbacks.openapi import describe
from config.settings import read_settings
from demo.server import EmbeddedServer
from tests.conftest import IN_CI
from tests.web.callbacks_app import asked_ago, environment, insert, signed

EXAMPLES = 200 if IN_CI else 30
NOWHERE = "redis://127.0.0.1:1/0"
DESCRIPTION = describe(create_app(read_settings(environment(NOWHERE))))
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
# A generator can't guess signatures and tokens, so requests that it considers valid are refused.
UNSURE: list[CheckFunction] = [positive_data_acceptance]


@pytest.fixture
def app(redis_url: str) -> Flask:
    return create_app(read_settings(environment(redis_url, CALLBACKS_REFUSALS_PER_MINUTE="0")))


@pytest.fixture(scope="module")
def base(redis_server: EmbeddedServer) -> Iterator[str]:
    """The app on a real socket."""
    env = environment(redis_server.url, CALLBACKS_REFUSALS_PER_MINUTE="0")
    server = make_server("127.0.0.1", 0, create_app(read_settings(env)), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


def test_it_is_served_and_describes_every_route(client: FlaskClient, app: Flask) -> None:
    document = client.get("/openapi.json").json or {}

    routes = {rule.rule.replace("<", "{").replace(">", "}") for rule in app.url_map.iter_rules()}
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == routes
    assert document == json.loads(json.dumps(describe(app)))


def test_an_undescribed_route_is_an_error(app: Flask) -> None:
    app.add_url_rule("/new", "new", lambda: "")

    with pytest.raises(KeyError, match="new"):
        describe(app)


@SCHEMA.parametrize()
@settings(max_examples=EXAMPLES, deadline=None)
def test_generated_requests_find_no_violation_of_the_contract(
    case: schemathesis.Case[Any], base: str
) -> None:
    case.call_and_validate(base_url=base, excluded_checks=UNSURE)


def test_successful_responses_match_their_description(
    client: FlaskClient, app: Flask, path: str, redis_url: str
) -> None:
    insert(redis_url)
    schemas = describe(app)["components"]["schemas"]
    answers = {
        "Live": client.get("/healthz"),
        "Ready": client.get("/readyz"),
        "State": client.get(f"{path}/state"),
        "Received": client.post("/webhooks/cashfree", data=b"{}", headers=signed(b"{}")),
        "Problem": client.get("/nowhere"),
    }

    for name, answer in answers.items():
        jsonschema_rs.validator_for(schemas[name]).validate(answer.json)


def test_the_response_about_a_slow_verification_matches_its_description(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    asked_ago(redis_url, minutes=3)

    answer = client.get(f"{path}/state").json or {}

    assert answer["page"] == "slow"
    schema = DESCRIPTION["components"]["schemas"]["State"]
    jsonschema_rs.validator_for(schema).validate(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("url", ["/", "/webhooks", "/webhooks/cashfree", "/metrics", "/healthz"])
def test_every_error_for_programs_is_a_problem_document(
    client: FlaskClient, url: str, method: str
) -> None:
    answer = client.open(url, method=method)

    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
        assert (answer.json or {})["status"] == answer.status_code
