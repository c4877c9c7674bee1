"""With JSON logs a worker process writes only JSON, from its start to its end."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from demo.local_stack import LocalStack
from tests.support.eventually import eventually

WORKER = (sys.executable, "-P", "-m", "satyapan.cli", "worker")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    with LocalStack(tmp_path, workers=0, callbacks=False) as stack:
        yield {**stack.env, "SATYAPAN_LOG_FORMAT": "json"}


@contextmanager
def running(env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        worker = subprocess.Popen(WORKER, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def events(log: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_that_is_stopped_writes_only_json(
    env: dict[str, str], tmp_path: Path, pool: str
) -> None:
    log = tmp_path / "worker.log"
    with running({**env, "SATYAPAN_WORKER_POOL": pool}, log) as worker:
        eventually(lambda: "worker ready" in log.read_text())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0

    logged = events(log)
    assert "worker ready" in logged
    assert "worker stopping" in logged


def test_a_refused_start_is_explained_in_json(env: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with closing(Redis.from_url(env["SATYAPAN_REDIS_URL"])) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    with running(env, log) as worker:
        assert worker.wait(30) == 2

    heading, refusal = events(log)[-2:]
    assert heading == "refusing to start:"
    assert refusal.startswith("E002")
    assert "noeviction" in refusal


def test_a_setting_that_is_found_wrong_after_the_start_is_reported_in_json(
    env: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with running({**env, "SATYAPAN_CASHFREE_CA_FILE": str(tmp_path / "none.pem")}, log) as worker:
        assert worker.wait(30) == 2

    assert any("SATYAPAN_CASHFREE_CA_FILE: can't be read" in event for event in events(log))


@pytest.mark.skipif(sys.platform == "darwin", reason="Celery doesn't restart on macOS")
def test_a_worker_restarted_by_sighup_still_writes_only_json(
    env: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with running(env, log) as worker:
        eventually(lambda: "worker ready" in log.read_text())
        worker.send_signal(signal.SIGHUP)
        eventually(lambda: events(log).count("worker ready") == 2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
