"""Redis URLs in the form that Kombu expects."""

import ssl

import pytest
from kombu import Connection

from satyapan.broker.wakeups import kombu_url


@pytest.mark.parametrize(
    ("url", "expected"),
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
def test_a_redis_url_is_converted_for_kombu(url: str, expected: str) -> None:
    assert kombu_url(url) == expected


def certificate_requirement(url: str) -> object:
    options = Connection(url).ssl
    return options.get("ssl_cert_reqs") if isinstance(options, dict) else None


def test_kombu_checks_certificates_only_when_the_url_requires_it() -> None:
    """If the first assertion fails, Kombu has fixed its default: then simplify kombu_url."""
    assert certificate_requirement("rediss://h/0") == ssl.CERT_NONE
    assert certificate_requirement(kombu_url("rediss://h/0")) == ssl.CERT_REQUIRED
