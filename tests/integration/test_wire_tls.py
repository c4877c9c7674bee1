"""The wire through TLS and proxies: what fails before the request itself is not sent."""

import datetime as dt
import socket
import ssl
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.rude_server import GOOD, Server, answer, drip, hung_up, trickle
from worker.vendors.cashfree.transport import Cut, Limits, NotSent, Raw, Wire

PATIENT = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=1000, pool_size=1)
QUICK = Limits(connect_s=20, read_s=20, total_s=2)


def post(wire: Wire, url: str) -> Raw:
    return wire.send("POST", url, {}, body=b"{}")


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
    """A self-signed certificate for this machine, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


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
