"""The metrics: requests can't add labels, and all processes count together."""

import multiprocessing
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient
from prometheus_client import values

from callbacks.app import create_app
from callbacks.operations.metrics import Metrics, count_into
from config.settings import read_settings
from demo.server import EmbeddedServer
from satyapan.names import Keys
from shared.inbox.stored_webhook import WebhookState
from tests.web.callbacks_app import EVENT, asked_ago, environment, insert, signed, written

BODY = written(EVENT)


def counted(client: FlaskClient) -> dict[str, float]:
    """Return the samples by name and labels."""
    text = client.get("/metrics").text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_webhooks_are_counted_by_outcome(client: FlaskClient, redis_url: str) -> None:
    for secret in ("the-client-secret", "the-client-secret", "x"):
        client.post("/webhooks/cashfree", data=BODY, headers=signed(BODY, secret=secret))
    client.post("/webhooks/cashfree", data=b"x" * 70_000, headers=signed(BODY))
    client.post("/webhooks/somebody", data=BODY, headers=signed(BODY))

    found = counted(client)

    name = 'satyapan_webhooks_total{outcome="%s",vendor="cashfree"}'
    outcomes = ("stored", "repeated", "signature_mismatch", "too_large")
    assert [found[name % outcome] for outcome in outcomes] == [1.0] * 4
    assert found["satyapan_webhook_store_seconds_count"] == 2.0
    assert not [each for each in found if "somebody" in each], "a label comes from a request"


def test_pages_and_status_checks_count(client: FlaskClient, path: str, redis_url: str) -> None:
    insert(redis_url)
    for url in (path, path, "/return/digilocker/x"):
        client.get(url)

    found = counted(client)

    assert found['satyapan_returns_total{page="confirming"}'] == 2.0
    assert found['satyapan_returns_total{page="unknown"}'] == 1.0
    assert found['satyapan_status_checks_total{requested="yes"}'] == 1.0
    assert found['satyapan_status_checks_total{requested="no"}'] == 1.0
    assert "dl-1" not in str(found)


def test_a_slow_page_is_counted_by_its_name(client: FlaskClient, path: str, redis_url: str) -> None:
    insert(redis_url)
    asked_ago(redis_url, minutes=3)
    client.get(path)
    asked_ago(redis_url, minutes=5)
    client.get(path)

    found = counted(client)

    pages = {name: count for name, count in found.items() if "returns_total" in name}
    assert pages == {'satyapan_returns_total{page="slow"}': 2.0}


def test_any_web_process_reports_the_whole_installation(
    client: FlaskClient, redis_url: str
) -> None:
    keys = Keys()
    insert(redis_url)
    with redis.Redis.from_url(redis_url) as server:
        now = int(server.time()[0]) * 1000
        server.zadd(keys.slots("main", "passport"), {"new": now, "old": now - 120_000})
        server.zadd(keys.inbox_due, {"a-webhook": now})
        server.zadd(keys.inbox_index(WebhookState.PARKED), {"another": now, "a third": now})
        server.hset(keys.stop("main"), mapping={"code": "x", "since": now, "until": now + 1})

    found = counted(client)

    assert found["satyapan_ledger_up"] == 1
    assert found['satyapan_verifications{state="pending"}'] == 1
    assert found["satyapan_inbox_open"] == 1
    assert found['satyapan_inbox{state="parked"}'] == 2
    assert found['satyapan_inbox{state="new"}'] == 0
    assert found['satyapan_calls_in_window{account="main",route="passport"}'] == 1
    assert found['satyapan_calls_held{account="main",route=""}'] == 1
    assert found['satyapan_calls_held{account="main",route="passport"}'] == 0


def test_further_vendor_side_ids_count_from_zero(client: FlaskClient, redis_url: str) -> None:
    before = counted(client)
    with redis.Redis.from_url(redis_url) as server:
        server.hincrby(Keys().reissues, "digilocker maybe_paid", 3)
        server.hincrby(Keys().reissues, "of_a_newer_version unpaid", 1)

    after = counted(client)

    name = 'satyapan_reissues_total{earlier_id="%s",kind="%s"}'
    assert before[name % ("maybe_paid", "digilocker")] == 0
    assert after[name % ("maybe_paid", "digilocker")] == 3
    assert after[name % ("unpaid", "digilocker")] == 0
    assert after[name % ("unpaid", "of_a_newer_version")] == 1


def test_a_row_that_is_not_swept_is_overdue(client: FlaskClient, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.zadd(Keys().due, {"forgotten": (int(server.time()[0]) - 90) * 1000})

    assert counted(client)["satyapan_overdue_seconds"] >= 90


def test_without_redis_only_its_absence_is_reported(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        client = create_app(read_settings(environment(server.url))).test_client()
        server.kill()

        found = counted(client)

    assert found["satyapan_ledger_up"] == 0
    assert not [name for name in found if name.startswith("satyapan_verifications")]


def count_three(folder: Path) -> None:
    metrics = Metrics(folder)
    for _ in range(3):
        metrics.webhooks.labels("cashfree", "stored").inc()


def test_processes_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    count_into(tmp_path)

    for _ in range(2):
        child = multiprocessing.get_context("fork").Process(target=count_three, args=(tmp_path,))
        child.start()
        child.join(timeout=20)
        assert child.exitcode == 0

    line = b'satyapan_webhooks_total{outcome="stored",vendor="cashfree"} 6.0'
    assert line in Metrics(tmp_path).render().splitlines()
