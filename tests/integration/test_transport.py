"""The transport shim in a worker process whose broker restarts while it holds messages."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import redis

from demo.server import EmbeddedServer
from demo.supervisor import Child, Supervisor
from tests.support.eventually import eventually
from tests.support.failover import ReplicaPair
from tests.support.transport_worker import create_app

RESILIENT = "worker.broker.kombu_transport:ResilientTransport"
POOLS = ["threads", "prefork"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "broker") as server:
        yield server


def start_worker(
    processes: Supervisor, broker: EmbeddedServer | ReplicaPair, pool: str, transport: str | None
) -> Child:
    command = [sys.executable, "-m", "tests.support.transport_worker", broker.url, pool]
    return processes.start(
        "worker", [*command, *filter(None, [transport])], ready=r"celery@\S+ ready"
    )


def send(
    broker: EmbeddedServer | ReplicaPair, mark: str, *, seconds: float = 0.0, countdown: float = 0
) -> None:
    with create_app(broker.url, RESILIENT) as app:
        app.send_task("note", args=[mark, seconds], countdown=countdown)


def marks(broker: EmbeddedServer | ReplicaPair, name: str) -> set[str]:
    with redis.Redis.from_url(broker.url, decode_responses=True) as client:
        return {str(mark) for mark in client.smembers(name)}


@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_survives_a_broker_restart_and_loses_no_message(
    broker: EmbeddedServer, processes: Supervisor, pool: str
) -> None:
    worker = start_worker(processes, broker, pool, RESILIENT)
    send(broker, "running", seconds=2)
    send(broker, "waiting", countdown=2)
    eventually(lambda: "running" in marks(broker, "begun"))
    eventually(lambda: worker.log.read_text().count("received") == 2)

    broker.restart()
    send(broker, "after")

    eventually(lambda: marks(broker, "done") == {"running", "waiting", "after"}, within=90)
    assert worker.process.poll() is None


@pytest.mark.parametrize(
    "held", [{"seconds": 10.0}, {"countdown": 60.0}], ids=["running", "waiting"]
)
def test_without_the_shim_this_kombu_still_crashes_the_worker(
    broker: EmbeddedServer, processes: Supervisor, held: dict[str, float]
) -> None:
    worker = start_worker(processes, broker, "threads", None)
    send(broker, "held", **held)
    eventually(lambda: "received" in worker.log.read_text())

    broker.restart()

    try:
        eventually(lambda: worker.process.poll() is not None, within=60)
    except AssertionError:
        pytest.fail(f"Kombu {version('kombu')} is fixed: remove worker/broker/kombu_transport.py")
    assert "object has no attribute 'hostname'" in worker.log.read_text()
