"""What an orchestrator asks: is it up, can it work."""

from pathlib import Path

import redis
from flask.testing import FlaskClient

from callbacks.app import create_app
from config.settings import read_settings
from demo.server import EmbeddedServer
from tests.web.outside import environment


def test_a_process_with_a_safe_redis_is_up_and_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}


def test_without_redis_it_is_up_but_not_ready(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        client = create_app(read_settings(environment(server.url))).test_client()
        server.kill()

        up, ready = client.get("/healthz"), client.get("/readyz")

    assert (up.status_code, ready.status_code) == (200, 503)
    assert ready.content_type == "application/problem+json"
    assert "redis: no answer" in ready.text
    assert str(server.port) not in ready.text


def test_a_redis_that_throws_data_away_is_not_good_enough(
    client: FlaskClient, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            answer = client.get("/readyz")
        finally:
            server.config_set("maxmemory-policy", "noeviction")

    assert answer.status_code == 503
    assert "allkeys-lru; set it to noeviction" in answer.text
