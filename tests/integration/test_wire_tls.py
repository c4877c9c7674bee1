"""The wire through TLS and proxies: a call that fails before the request itself is not sent."""

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from tests.support.certificate import self_signed, tls
from tests.support.scripted_server import (
    GOOD,
    Script,
    ScriptedServer,
    accept_as_clean,
    answer,
    drip,
    read_request,
    trickle,
    wait_for_hang_up,
)
from worker.vendors.cashfree.wire import Cut, Limits, NotSent, Raw, Wire

PATIENT = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=1000, pool_size=1)
SHORT_TOTAL = Limits(connect_s=20, read_s=20, total_s=2)


def post(wire: Wire, url: str) -> Raw:
    return wire.send("POST", url, {}, accept_as_clean, body=b"{}")


def test_a_call_whose_proxy_refuses_the_tunnel_is_not_sent() -> None:
    def refuse(conn: socket.socket) -> None:
        while b"\r\n\r\n" not in conn.recv(4096):
            pass
        conn.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with ScriptedServer(refuse) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(PATIENT, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "proxy_failed"


def test_a_call_whose_proxy_drips_its_reply_is_not_sent() -> None:
    def slow(conn: socket.socket) -> None:
        conn.recv(4096)
        trickle(conn, b"H")

    with ScriptedServer(slow) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(SHORT_TOTAL, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "deadline"


def test_a_call_with_an_endless_tls_handshake_behind_a_proxy_is_not_sent() -> None:
    def accept_tunnel(conn: socket.socket) -> None:
        conn.recv(4096)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        wait_for_hang_up(conn)

    limits = Limits(connect_s=0.3, read_s=20, total_s=20)
    with ScriptedServer(accept_tunnel) as proxy, pytest.raises(NotSent) as caught:
        post(Wire(limits, proxy=f"http://127.0.0.1:{proxy.port}"), "https://vendor.invalid/")

    assert caught.value.code == "tls_timeout"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def test_a_certificate_of_the_given_authority_is_trusted(certificate: Path) -> None:
    with ScriptedServer(answer(GOOD), context=tls(certificate)) as server:
        assert post(Wire(PATIENT, ca_file=str(certificate)), server.url).status == 200


def test_a_call_to_a_server_with_an_unknown_certificate_is_not_sent(certificate: Path) -> None:
    with (
        ScriptedServer(answer(GOOD), context=tls(certificate)) as server,
        pytest.raises(NotSent) as caught,
    ):
        post(Wire(PATIENT), server.url)

    assert caught.value.code == "tls_failed"


def test_a_call_with_an_endless_tls_handshake_is_not_sent() -> None:
    limits = Limits(connect_s=0.3, read_s=20, total_s=20)

    with ScriptedServer(wait_for_hang_up) as server, pytest.raises(NotSent) as caught:
        post(Wire(limits), server.url.replace("http:", "https:"))

    assert caught.value.code == "tls_timeout"


def test_the_total_deadline_holds_inside_tls(certificate: Path) -> None:
    script = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x")
    with ScriptedServer(script, context=tls(certificate)) as server, pytest.raises(Cut) as caught:
        post(Wire(SHORT_TOTAL, ca_file=str(certificate)), server.url)

    assert caught.value.code == "deadline"


def tunnel_to(port: int) -> Script:
    """Act as a proxy: accept the tunnel, then forward in both directions."""

    def forward(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(4096):
                target.sendall(piece)
            target.shutdown(socket.SHUT_RDWR)

    def tunnel(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as inner:
            back = threading.Thread(target=forward, args=(inner, conn), daemon=True)
            back.start()
            forward(conn, inner)
            back.join(20)

    return tunnel


def test_through_a_tls_proxy_a_400_is_returned_and_no_connection_is_kept(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # the proxy's authority is the system's
    refusal = answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}")
    with (
        ScriptedServer(refusal, refusal, context=tls(certificate)) as vendor,
        ScriptedServer(
            tunnel_to(vendor.port), tunnel_to(vendor.port), context=tls(certificate)
        ) as proxy,
    ):
        wire = Wire(PATIENT, f"https://127.0.0.1:{proxy.port}", str(certificate))
        replies = [post(wire, vendor.url) for _ in range(2)]

        assert [(reply.status, reply.trailed) for reply in replies] == [(400, False)] * 2
        assert (vendor.accepted, proxy.accepted) == (2, 2)
