"""The probes for an orchestrator: is the process up, and can webhooks be stored?"""

from pathlib import Path

import redis
from flask.testing import FlaskClient

from callbacks.app import create_app
from config.settings import read_settings
from demo.server import EmbeddedServer, find_server, server_command
from demo.supervisor import Supervisor
from satyapan.names import Keys
from tests.support.eventually import eventually
from tests.web.callbacks_app import environment
from worker.admission.limiter import Limiter, LimiterConfig
from worker.admission.redis_clock import RedisClock
from worker.maintenance.marker import Marker


def test_a_process_with_a_safe_redis_is_up_and_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {
        "status": "ready",
        "ledger": "ok",
        "broker": "ok",
        "worker_age_s": None,
    }


def test_readiness_reports_the_age_of_the_last_sweep(client: FlaskClient, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        Marker(server, Keys(), Limiter(server, Keys(), LimiterConfig()), RedisClock(), 5_000).mark()

    age = (client.get("/readyz").json or {})["worker_age_s"]

    assert 0 <= age < 60
    with redis.Redis.from_url(redis_url) as server:
        server.decrby(Keys().swept, 90_000)
    assert (client.get("/readyz").json or {})["worker_age_s"] >= 90


def test_an_unreachable_broker_is_reported_but_not_required(redis_url: str) -> None:
    env = environment(redis_url, BROKER_URL="redis://127.0.0.1:1/0")
    answer = create_app(read_settings(env)).test_client().get("/readyz")

    assert answer.status_code == 200
    assert (answer.json or {})["broker"] == "no answer"


def test_without_redis_it_is_up_but_not_ready(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        client = create_app(read_settings(environment(server.url))).test_client()
        server.kill()

        up, ready = client.get("/healthz"), client.get("/readyz")

    assert (up.status_code, ready.status_code) == (200, 503)
    assert ready.content_type == "application/problem+json"
    assert "ledger: no answer" in ready.text
    assert str(server.port) not in ready.text


def test_a_redis_that_may_lose_data_is_not_ready(client: FlaskClient, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            answer = client.get("/readyz")
        finally:
            server.config_set("maxmemory-policy", "noeviction")

    assert answer.status_code == 503
    assert "E002" in answer.text
    assert "(maxmemory-policy allkeys-lru). Set maxmemory-policy noeviction" in answer.text


def test_a_replica_is_not_ready(client: FlaskClient, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.replicaof("127.0.0.1", "1")
        try:
            answer = client.get("/readyz")
        finally:
            server.replicaof("NO", "ONE")

    assert answer.status_code == 503
    assert "E005 This Redis is a replica" in answer.text


def test_a_redis_that_is_loading_its_data_is_not_ready(
    tmp_path: Path, processes: Supervisor
) -> None:
    with EmbeddedServer(tmp_path) as server, redis.Redis.from_url(server.url) as admin:
        admin.eval("for n = 1, 20000 do redis.call('SET', n, n) end", 0)
    slowly = ["--key-load-delay", "500"]  # microseconds for each key
    processes.start("redis", [*server_command(find_server(), server.port, tmp_path), *slowly])

    client = create_app(read_settings(environment(server.url))).test_client()

    eventually(lambda: "ledger: no answer (BusyLoadingError)" in client.get("/readyz").text)
