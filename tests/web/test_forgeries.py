"""Forged webhooks sent to the app are refused with the right status and leave nothing behind."""

from collections import Counter
from random import Random

import pytest
import redis
import time_machine
from flask.testing import FlaskClient

from callbacks.app import create_app
from config.settings import read_settings
from tests.conftest import IN_CI
from tests.support.forged_webhooks import NOW_MS, TOLERANCE_S, forged_deliveries, signed_delivery
from tests.web.callbacks_app import environment

JSON = ("content-type", "application/json")
COUNT = 5_000 if IN_CI else 2_000


@pytest.fixture
def client(redis_url: str) -> FlaskClient:
    env = environment(
        redis_url,
        CALLBACKS_REFUSALS_PER_MINUTE="0",
        CASHFREE_WEBHOOK_TOLERANCE_S=str(TOLERANCE_S),
    )
    return create_app(read_settings(env)).test_client()


def test_every_forgery_is_refused_and_leaves_nothing(client: FlaskClient, redis_url: str) -> None:
    seen: Counter[int] = Counter()

    with time_machine.travel(NOW_MS / 1000, tick=False):
        for _, (body, headers) in forged_deliveries(COUNT, seed=COUNT):
            sendable = [(name, value) for name, value in headers if value.isprintable()]
            answer = client.post("/webhooks/cashfree", data=body, headers=[*sendable, JSON])
            seen[answer.status_code] += 1

    assert set(seen) <= {401, 413}, seen
    assert seen.total() == COUNT
    with redis.Redis.from_url(redis_url) as server:
        assert server.dbsize() == 0


def test_an_authentic_delivery_is_accepted(client: FlaskClient, redis_url: str) -> None:
    body, headers = signed_delivery(Random(1))
    with time_machine.travel(NOW_MS / 1000, tick=False):
        answer = client.post("/webhooks/cashfree", data=body, headers=[*headers, JSON])

    assert answer.status_code == 200
