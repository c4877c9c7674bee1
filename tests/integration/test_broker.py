"""Wake-ups with a working, an absent and a silent broker, and a worker with our settings."""

import json
import os
import socket
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from config.redis_clients import ledger_client
from config.settings import Settings, read_settings
from demo.server import EmbeddedServer
from demo.supervisor import Child, Supervisor
from satyapan.broker.wakeups import Waker, broker_settings, wake_app
from satyapan.names import FOLLOW_QUEUE, RUN, RUN_QUEUE, STATUS_CHECK
from satyapan.sealing import new_key
from tests.support.eventually import eventually
from tests.support.failing_worker import create_app

UNREACHABLE = "redis://127.0.0.1:1/0"
OTHER_CELERY_APP = {
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_RESULT_BACKEND": "redis://x/0",
}


def variables(redis_url: str) -> dict[str, str]:
    return {
        "SATYAPAN_REDIS_URL": redis_url,
        "SATYAPAN_SEAL_KEYS": new_key(),
        "SATYAPAN_ID_KEY": new_key().partition(":")[2],
    }


def short_timeout(redis_url: str) -> Settings:
    """Return settings that wait for a server for half a second only."""
    return read_settings(variables(redis_url) | {"SATYAPAN_REDIS_READ_TIMEOUT_S": "0.5"})


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return read_settings(variables(redis_url))


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    with ledger_client(settings) as client:
        yield client


@pytest.fixture
def waker(settings: Settings) -> Iterator[Waker]:
    with wake_app(settings.producer) as app:
        yield Waker(app)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def start_worker(processes: Supervisor, redis_url: str, **more: str) -> Child:
    env = {"PATH": os.environ["PATH"], **variables(redis_url), **OTHER_CELERY_APP, **more}
    command = [sys.executable, "-m", "tests.support.failing_worker"]
    return processes.start("worker", command, env=env, ready="ready")


@pytest.mark.parametrize(("task", "queue"), [(RUN, RUN_QUEUE), (STATUS_CHECK, FOLLOW_QUEUE)])
def test_a_wake_up_carries_ids_and_nothing_else(
    waker: Waker, store: redis.Redis, task: str, queue: str
) -> None:
    assert waker.wake(task, ["v-1", "v-2"])

    (raw,) = store.lrange(f"satyapan:broker:{queue}", 0, -1)
    message = json.loads(raw)
    args, kwargs, _ = json.loads(b64decode(message["body"]))
    assert (args, kwargs) == ([["v-1", "v-2"]], {})
    assert message["headers"]["task"] == task
    assert message["properties"]["delivery_info"] == {"exchange": "", "routing_key": queue}


def test_every_key_of_the_broker_has_our_prefix(waker: Waker, store: redis.Redis) -> None:
    waker.wake(RUN, ["v-1"])

    assert store.dbsize() == len(list(store.scan_iter("satyapan:broker:*"))) > 0


def test_the_environment_of_another_celery_application_changes_nothing(
    settings: Settings, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in OTHER_CELERY_APP.items():
        monkeypatch.setenv(name, text)

    with wake_app(settings.producer) as app:
        assert Waker(app).wake(RUN, ["v-1"])
        assert type(app.backend).__name__ == "DisabledBackend"
    assert store.llen("satyapan:broker:satyapan.run") == 1


def test_building_our_celery_app_does_not_replace_the_current_app(settings: Settings) -> None:
    from celery import current_app  # noqa: PLC0415 - looked up after ours was built

    with wake_app(settings.producer) as app:
        assert current_app.main != app.main


def test_a_lost_wake_up_is_logged_and_never_raised(
    black_hole: str, caplog: pytest.LogCaptureFixture
) -> None:
    for url in (UNREACHABLE, black_hole):
        with wake_app(short_timeout(url).producer) as app:
            assert not Waker(app).wake(RUN, [f"v-{n}" for n in range(100)])

    assert len(caplog.records) == 2
    assert "for 100: v-0, v-1" in caplog.text
    assert "v-50" not in caplog.text


def test_wake_ups_succeed_again_once_the_broker_is_back(tmp_path: Path) -> None:
    with (
        EmbeddedServer(tmp_path / "broker") as broker,
        wake_app(read_settings(variables(broker.url)).producer) as app,
    ):
        waker = Waker(app)
        assert waker.wake(RUN, ["v-1"])

        broker.kill()
        assert not waker.wake(RUN, ["v-2"])
        broker.restart()

        eventually(lambda: waker.wake(RUN, ["v-3"]))


def test_producers_and_workers_agree_on_the_broker(settings: Settings) -> None:
    with create_app(settings) as app:
        for name, value in broker_settings(settings.producer).items():
            assert app.conf[name] == value or name == "broker_transport"


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_runs_both_queues_and_logs_ids_only(
    processes: Supervisor, redis_url: str, waker: Waker, store: redis.Redis, pool: str
) -> None:
    worker = start_worker(processes, redis_url, SATYAPAN_WORKER_POOL=pool)

    for task, name in ((RUN, "v-1"), (STATUS_CHECK, "v-2"), (RUN, "fail-3")):
        assert waker.wake(task, [name])
    eventually(lambda: store.scard("ran") == 3)
    eventually(lambda: "ValueError" in worker.log.read_text())

    log = worker.log.read_text()
    assert "secret of" not in log
    assert "result of" not in log
    assert '"dropped": 1' in log
    assert '"handled *"' in log
    lines = [line for line in log.splitlines() if not line.startswith("{")]
    assert not [line for line in lines if "v-" in line or "fail-" in line]
    assert worker.process.poll() is None
    assert processes.end("worker") == 0


def test_a_write_is_never_sent_twice(black_hole: str) -> None:
    with ledger_client(short_timeout(black_hole)) as client:
        retry = client.get_connection_kwargs()["retry"]

        with pytest.raises(redis.TimeoutError):
            client.set("a", "b")

    assert retry.get_retries() == 0


def test_clients_tell_redis_their_name(settings: Settings) -> None:
    with ledger_client(settings) as client:
        assert client.client_info()["name"] == "satyapan-ledger"


def test_queued_counts_the_waiting_messages(waker: Waker) -> None:
    before = waker.queued(RUN), waker.queued(STATUS_CHECK)
    waker.wake(RUN, ["a", "b"])
    waker.wake(RUN, ["c"])

    assert before == (0, 0)
    assert (waker.queued(RUN), waker.queued(STATUS_CHECK)) == (2, 0)


def test_queued_is_zero_while_the_broker_is_away(settings: Settings) -> None:
    away = replace(settings.producer, broker_url=UNREACHABLE)
    with wake_app(away) as app:
        assert Waker(app).queued(RUN) == 0
