"""The broker's server is judged as the ledger's is, and a certificate is said to be the fault."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest
import redis

from config.findings import Finding
from demo.server import HOST, EmbeddedServer, find_server, free_port, server_command
from tests.integration.test_checks import checked, ids
from tests.support.certificate import self_signed, tls
from tests.support.eventually import eventually


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """Run a server that the embedded one is not; give its address once it answers."""
    url = f"redis://{HOST}:{port}/0"
    with (
        Popen(command, stdout=DEVNULL, stderr=DEVNULL) as server,
        closing(redis.Redis.from_url(url)) as client,
    ):

        def answers() -> bool:
            with suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        try:
            eventually(answers)
            yield url
        finally:
            server.kill()


@contextmanager
def showing_a_certificate(folder: Path) -> Iterator[str]:
    """Listen with TLS and a certificate that nobody trusts; every handshake ends there."""
    context, stopped = tls(self_signed(folder)), threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            with suppress(OSError), closing(listener.accept()[0]) as connection:
                connection.settimeout(5)
                context.wrap_socket(connection, server_side=True).close()

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"rediss://{HOST}:{listener.getsockname()[1]}/0"
        finally:
            stopped.set()
            thread.join()


def test_a_replica_as_broker_is_refused(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as broker, closing(redis.Redis.from_url(broker.url)) as client:
        client.replicaof("127.0.0.1", 1)

        (finding,) = checked(redis_url, BROKER_URL=broker.url)

    assert finding.id == "E005"
    assert "broker" in finding.message
    assert "SATYAPAN_BROKER_URL" in finding.hint


def test_a_broker_that_evicts_is_refused(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as broker, closing(redis.Redis.from_url(broker.url)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")  # which a broker need not have

        assert ids(checked(redis_url, BROKER_URL=broker.url)) == ["E002"]


def test_a_cluster_as_broker_is_refused(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    cluster = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    command = [*server_command(find_server(), port, tmp_path), *cluster]
    with running(command, port) as url:
        assert ids(checked(redis_url, BROKER_URL=url)) == ["E006"]


@pytest.mark.parametrize("setting", ["BROKER_URL", "REDIS_URL"])
def test_a_sentinel_is_said_to_be_one(redis_url: str, tmp_path: Path, setting: str) -> None:
    port, config = free_port(), tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind {HOST}\ndir {tmp_path}\n")
    with running([find_server(), str(config), "--sentinel"], port) as url:
        findings = checked(redis_url, **{setting: url})

    assert "Sentinel" in errors(findings)
    assert f"SATYAPAN_{setting}" in errors(findings)


@pytest.mark.parametrize("setting", ["BROKER_URL", "REDIS_URL"])
def test_an_untrusted_certificate_is_said_to_be_one(
    redis_url: str, tmp_path: Path, setting: str
) -> None:
    with showing_a_certificate(tmp_path) as url:
        findings = checked(redis_url, **{setting: url})

    assert "certificate" in errors(findings)
    assert f"?ssl_ca_certs=FILE to SATYAPAN_{setting}" in errors(findings)


def test_a_trusted_certificate_is_no_fault(redis_url: str, tmp_path: Path) -> None:
    """The server here speaks no Redis, so it is unreachable, but not for its certificate."""
    with showing_a_certificate(tmp_path) as url:
        trusting = f"{url}?ssl_ca_certs={tmp_path / 'certificate.pem'}"
        findings = checked(redis_url, BROKER_URL=trusting)

    assert ids(findings) == ["E017"]
    assert "certificate" not in errors(findings)


def errors(findings: list[Finding]) -> str:
    return " ".join(f"{each.message} {each.hint}" for each in findings if each.level == "error")
