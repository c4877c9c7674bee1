"""A worker whose Redis becomes unsafe logs it, and ends if that lasts, but not at a failover."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from config.redis_clients import ledger_client
from config.servers import check_server
from config.settings import read_settings
from demo.local_stack import LocalStack
from demo.server import EmbeddedServer
from demo.supervisor import ChildFailed
from satyapan.redis.master_connection import ROLE_S
from tests.support.eventually import eventually
from tests.support.failover import ReplicaPair, connect_to
from tests.web.callbacks_app import environment
from worker.app import UNSAFE
from worker.maintenance.watch import CHECK_S, TIMES, Watch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "redis") as server:
        yield server


class Worker:
    """A worker that a watch can end."""

    def __init__(self, url: str) -> None:
        settings = read_settings(environment(url))
        self.ended = 0
        self.client = ledger_client(settings)
        self.watch = Watch(partial(check_server, settings, self.client), self.end)

    def end(self) -> None:
        self.ended += 1

    def check(self, times: int = TIMES) -> int:
        """Check the server this many times; return how often the worker has been ended."""
        for _ in range(times):
            self.watch.once()
        return self.ended


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def test_a_server_that_stays_unsafe_ends_the_worker(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(server.url)
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory-policy", "allkeys-lru")
        assert worker.check(TIMES - 1) == 0
        assert worker.check() == 1

    assert worker.watch.refused
    assert "E002" in logged(caplog)
    assert "Set maxmemory-policy noeviction" in logged(caplog)


def test_a_server_that_is_corrected_in_time_does_not_end_the_worker(server: EmbeddedServer) -> None:
    worker = Worker(server.url)
    with redis.Redis.from_url(server.url) as admin:
        for policy in ("allkeys-lru", "noeviction", "allkeys-lru"):
            admin.config_set("maxmemory-policy", policy)
            worker.check(TIMES - 1)

    assert not worker.ended


def test_a_replica_is_logged_and_does_not_end_the_worker(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(server.url)
    with redis.Redis.from_url(server.url) as admin:
        admin.replicaof("127.0.0.1", "1")
    worker.check(3 * TIMES)

    assert not worker.ended
    assert "E005" in logged(caplog)


def test_an_absent_server_does_not_end_the_worker(server: EmbeddedServer) -> None:
    worker = Worker(server.url)
    server.kill()
    worker.check(3 * TIMES)

    assert not worker.ended


def test_the_new_master_is_checked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ReplicaPair(tmp_path) as pair:
        worker = Worker(pair.url)
        worker.check()
        with connect_to(pair.replica) as replica:
            replica.config_set("maxmemory-policy", "allkeys-lru")
        assert not logged(caplog)
        pair.abandon()

        eventually(lambda: worker.check(1), within=4 * ROLE_S)

    assert "E002" in logged(caplog)


@pytest.mark.slow
def test_a_worker_process_ends_and_refuses_to_start_again(tmp_path: Path) -> None:
    with LocalStack(tmp_path, callbacks=False) as stack:
        log = stack.logs / "worker-1.log"
        with redis.Redis.from_url(stack.server.url) as admin:
            admin.config_set("maxmemory-policy", "allkeys-lru")
        eventually(lambda: "this worker ends" in log.read_text(), within=2 * TIMES * CHECK_S)
        with pytest.raises(ChildFailed, match=f"ended with code {UNSAFE}"):
            eventually(stack.restart_ended, within=20)

        with pytest.raises(ChildFailed, match="E002"):
            stack.restart_worker()
