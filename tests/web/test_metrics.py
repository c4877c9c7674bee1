"""What is counted: by words of ours, over all processes."""

import multiprocessing
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client import values

from callbacks.metrics import Metrics, share
from tests.web.outside import EVENT, insert, signed, written

BODY = written(EVENT)


def counted(client: FlaskClient) -> dict[str, float]:
    """The samples by name and labels."""
    text = client.get("/metrics").text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_webhooks_are_counted_by_what_became_of_them(client: FlaskClient, redis_url: str) -> None:
    for secret in ("the-client-secret", "the-client-secret", "x"):
        client.post("/webhooks/cashfree", data=BODY, headers=signed(BODY, secret=secret))
    client.post("/webhooks/cashfree", data=b"x" * 70_000, headers=signed(BODY))
    client.post("/webhooks/somebody", data=BODY, headers=signed(BODY))

    found = counted(client)

    name = 'satyapan_webhooks_total{outcome="%s",vendor="cashfree"}'
    outcomes = ("stored", "repeated", "signature_mismatch", "too_large")
    assert [found[name % outcome] for outcome in outcomes] == [1.0] * 4
    assert found["satyapan_webhook_store_seconds_count"] == 2.0
    assert not [each for each in found if "somebody" in each], "a label is a stranger's word"


def test_pages_and_looks_are_counted(client: FlaskClient, path: str, redis_url: str) -> None:
    insert(redis_url)
    for url in (path, path, "/return/digilocker/x"):
        client.get(url)

    found = counted(client)

    assert found['satyapan_returns_total{page="confirming"}'] == 2.0
    assert found['satyapan_returns_total{page="unknown"}'] == 1.0
    assert found['satyapan_looks_total{asked="yes"}'] == 1.0
    assert found['satyapan_looks_total{asked="no"}'] == 1.0
    assert "dl-1" not in str(found)


def count_three(folder: Path) -> None:
    metrics = Metrics(folder)
    for _ in range(3):
        metrics.webhook("cashfree", "stored")


def test_processes_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    share(tmp_path)

    for _ in range(2):
        child = multiprocessing.get_context("fork").Process(target=count_three, args=(tmp_path,))
        child.start()
        child.join(timeout=20)
        assert child.exitcode == 0

    line = b'satyapan_webhooks_total{outcome="stored",vendor="cashfree"} 6.0'
    assert line in Metrics(tmp_path).text().splitlines()
