"""A certificate for the stub, and the default CA bundle with that certificate added."""

import datetime as dt
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path) -> dict[str, str]:
    """Write cert.pem, key.pem and bundle.pem; return settings that make clients trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    certificate = _signed(key).public_bytes(Encoding.PEM)
    (folder / "cert.pem").write_bytes(certificate)
    bundle = folder / "bundle.pem"
    bundle.write_bytes(certificate + Path(certifi.where()).read_bytes())
    return {"REQUESTS_CA_BUNDLE": str(bundle), "SATYAPAN_CASHFREE_CA_FILE": str(bundle)}


def _signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
