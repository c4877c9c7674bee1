"""The embedded server's process keeps its data after a crash, and ends with its owner."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import redis

from demo import server
from demo.server import EmbeddedServer, ServerFailed, free_port
from demo.supervisor import Supervisor
from tests.support.eventually import eventually
from tests.support.process_groups import live_members


def test_its_settings_are_safe_for_the_ledger(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("appendfsync") == {"appendfsync": "always"}


def test_a_crash_and_a_restart_keep_the_url_and_the_data(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "data") as embedded:
        url, pid = embedded.url, embedded.pid
        with redis.Redis.from_url(url, decode_responses=True) as client:
            client.set("name", "value")

            embedded.kill()
            embedded.restart()

            assert client.get("name") == "value"
        assert (embedded.url, embedded.pid != pid) == (url, True)


def test_it_takes_another_port_if_the_first_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as winner:
        winner.bind((server.HOST, 0))
        winner.listen()
        ports = iter([winner.getsockname()[1], free_port()])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))

        with EmbeddedServer(tmp_path / "data") as embedded:
            assert embedded.port != winner.getsockname()[1]


def test_another_server_on_the_port_is_not_taken_for_ours(
    tmp_path: Path, redis_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "free_port", lambda: redis_server.port)

    with pytest.raises(ServerFailed, match="did not start"):
        EmbeddedServer(tmp_path / "data").start()


def test_a_stopped_server_has_no_process(tmp_path: Path) -> None:
    embedded = EmbeddedServer(tmp_path / "data").start()
    pid = embedded.pid

    embedded.stop()
    embedded.stop()

    assert live_members(pid) == set()
    with pytest.raises(ServerFailed, match="not running"):
        _ = embedded.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_dies_with_the_process_that_started_it(processes: Supervisor, tmp_path: Path) -> None:
    program = (
        "import pathlib, time; from demo.server import EmbeddedServer\n"
        f"embedded = EmbeddedServer(pathlib.Path({str(tmp_path / 'data')!r})).start()\n"
        "print('server', embedded.pid); time.sleep(60)"
    )
    owner = processes.start("owner", [sys.executable, "-c", program], ready=r"server (\d+)")
    assert owner.ready
    group = int(owner.ready[1])
    assert live_members(group)

    os.kill(owner.pid, signal.SIGKILL)

    eventually(lambda: not live_members(group))
