"""The start-up checks cover the broker's server too, and name an untrusted certificate."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from urllib.parse import urlsplit

import pytest
import redis

from config.findings import Finding
from config.settings import read_settings
from demo.server import HOST, EmbeddedServer, find_server, free_port, server_command
from satyapan.broker.wakeups import Waker, wake_app
from satyapan.names import RUN
from tests.integration.test_checks import findings_for, ids, variables
from tests.support.certificate import self_signed, tls
from tests.support.eventually import eventually
from tests.support.tls_proxy import tls_proxy


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """Run a server by a command of its own; yield its address once it answers."""
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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def tls_url(redis_server: EmbeddedServer, redis_url: str, certificate: Path) -> Iterator[str]:
    """The server's address behind TLS, with a self-signed certificate."""
    with tls_proxy(tls(certificate), redis_server.port) as port:
        yield f"rediss://{HOST}:{port}{urlsplit(redis_url).path}"


def test_a_replica_as_broker_is_refused(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as broker, closing(redis.Redis.from_url(broker.url)) as client:
        client.replicaof("127.0.0.1", 1)

        (finding,) = findings_for(redis_url, BROKER_URL=broker.url)

    assert finding.id == "E005"
    assert "broker" in finding.message
    assert "SATYAPAN_BROKER_URL" in finding.hint


def test_a_broker_that_evicts_is_refused(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as broker, closing(redis.Redis.from_url(broker.url)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")  # a broker may do without it

        (finding,) = findings_for(redis_url, BROKER_URL=broker.url)

    assert finding.id == "E002"
    assert finding.message.startswith("The broker: Redis may drop wake-ups")


def test_a_cluster_as_broker_is_refused(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    cluster = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    command = [*server_command(find_server(), port, tmp_path), *cluster]
    with running(command, port) as url:
        assert ids(findings_for(redis_url, BROKER_URL=url)) == ["E006"]


@pytest.mark.parametrize("setting", ["BROKER_URL", "REDIS_URL"])
def test_the_error_says_that_the_server_is_a_sentinel(
    redis_url: str, tmp_path: Path, setting: str
) -> None:
    port, config = free_port(), tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind {HOST}\ndir {tmp_path}\n")
    with running([find_server(), str(config), "--sentinel"], port) as url:
        findings = findings_for(redis_url, **{setting: url})

    assert "Sentinel" in error_text(findings)
    assert f"SATYAPAN_{setting}" in error_text(findings)


@pytest.mark.parametrize("setting", ["BROKER_URL", "REDIS_URL"])
def test_the_error_names_an_untrusted_certificate_and_its_setting(
    redis_url: str, tls_url: str, setting: str
) -> None:
    findings = findings_for(redis_url, **{setting: tls_url})

    assert "certificate" in error_text(findings)
    assert f"?ssl_ca_certs=FILE to SATYAPAN_{setting}" in error_text(findings)


def test_a_private_authoritys_certificate_is_trusted_by_its_file(
    tls_url: str, certificate: Path
) -> None:
    trusting = f"{tls_url}?ssl_ca_certs={certificate}"
    env = variables(trusting)

    assert findings_for(trusting) == []
    assert Waker(wake_app(read_settings(env).producer)).wake(RUN, ["v-1"])


def error_text(findings: list[Finding]) -> str:
    return " ".join(f"{each.message} {each.hint}" for each in findings if each.level == "error")
