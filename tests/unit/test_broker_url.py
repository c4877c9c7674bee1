"""Redis addresses in Kombu's writing."""

import ssl

import pytest
from kombu import Connection

from satyapan.broker.wakeups import kombu_url


@pytest.mark.parametrize(
    ("url", "kombus"),
    [
        ("redis://:p@h:1/2", "redis://:p@h:1/2"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("rediss://h/0", "rediss://h/0?ssl_cert_reqs=required"),
        (
            "rediss://h/0?ssl_ca_certs=/ca.pem",
            "rediss://h/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
        ),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
    ],
)
def test_addresses_are_written_for_kombu(url: str, kombus: str) -> None:
    assert kombu_url(url) == kombus


def certificates(url: str) -> object:
    options = Connection(url).ssl
    return options.get("ssl_cert_reqs") if isinstance(options, dict) else None


def test_kombu_checks_certificates_only_when_told() -> None:
    """If the first line fails, Kombu has mended its default and kombu_url may shrink."""
    assert certificates("rediss://h/0") == ssl.CERT_NONE
    assert certificates(kombu_url("rediss://h/0")) == ssl.CERT_REQUIRED
