"""The wire through TLS and proxies: what fails before the request itself is not sent."""

import socket
from pathlib import Path

import pytest

from tests.support.certificate import self_signed, tls
from tests.support.rude_server import GOOD, Server, answer, drip, hung_up, trickle, trust
from worker.vendors.cashfree.transport import Cut, Limits, NotSent, Raw, Wire

PATIENT = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=1000, pool_size=1)
QUICK = Limits(connect_s=20, read_s=20, total_s=2)


def post(wire: Wire, url: str) -> Raw:
    return wire.send("POST", url, {}, trust, body=b"{}")


def test_a_proxy_that_refuses_the_tunnel_is_not_sent() -> None:
    def refuse(conn: socket.socket) -> None:
        while b"\r\n\r\n" not in conn.recv(4096):
            pass
        conn.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with Server(refuse) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(PATIENT, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "proxy_failed"


def test_a_proxy_that_drips_its_consent_is_not_sent() -> None:
    def slow(conn: socket.socket) -> None:
        conn.recv(4096)
        trickle(conn, b"H")

    with Server(slow) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(QUICK, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "deadline"


def test_a_handshake_without_end_behind_a_proxy_is_not_sent() -> None:
    def consent(conn: socket.socket) -> None:
        conn.recv(4096)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        hung_up(conn)

    limits = Limits(connect_s=0.3, read_s=20, total_s=20)
    with Server(consent) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(limits, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "tls_timeout"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def test_a_certificate_of_the_given_authority_is_trusted(certificate: Path) -> None:
    with Server(answer(GOOD), context=tls(certificate)) as server:
        assert post(Wire(PATIENT, ca_file=str(certificate)), server.url).status == 200


def test_an_unknown_certificate_is_not_sent(certificate: Path) -> None:
    with Server(answer(GOOD), context=tls(certificate)) as server, pytest.raises(NotSent) as caught:
        post(Wire(PATIENT), server.url)

    assert caught.value.code == "tls_failed"


def test_a_handshake_without_end_is_not_sent() -> None:
    limits = Limits(connect_s=0.3, read_s=20, total_s=20)

    with Server(hung_up) as server, pytest.raises(NotSent) as caught:
        post(Wire(limits), server.url.replace("http:", "https:"))

    assert caught.value.code == "tls_timeout"


def test_the_total_deadline_holds_inside_tls(certificate: Path) -> None:
    script = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x")
    with Server(script, context=tls(certificate)) as server, pytest.raises(Cut) as caught:
        post(Wire(QUICK, ca_file=str(certificate)), server.url)

    assert caught.value.code == "deadline"
