"""The cost of a return depends on the content of its page, not on the size of the row."""

from collections.abc import Callable

import pytest
import redis
from flask.testing import FlaskClient

from satyapan.ledger.ledger import Ledger
from satyapan.names import Keys
from satyapan.records import Row, State
from satyapan.sealing import KeyRing
from shared.return_tokens import ReturnTokens
from tests.web.callbacks_app import SEAL_KEYS, TOKEN_KEY

LARGE = 8 * 1024 * 1024
MOST = 16 * 1024
"""Bytes that Redis may send for one return, including the connection's handshake."""


@pytest.fixture
def answered(redis_url: str) -> Callable[[str], None]:
    """Store a finished verification with a result of 8 MB; `return_url` goes into its request."""

    def store(return_url: str) -> None:
        request = {"return_url": return_url} if return_url else {}
        row = Row(
            id="dl-1",
            kind="digilocker",
            state=State.DONE,
            request=request,
            draft={"documents": "x" * 1024},
            result={"documents": "x" * LARGE},
            link="https://digilocker.example/" + "x" * 1024,
        )
        with redis.Redis.from_url(redis_url) as client:
            Ledger(client, Keys(), KeyRing.parse(SEAL_KEYS)).insert(row, life_ms=60_000)

    return store


def sent_for(redis_url: str, client: FlaskClient, url: str, status: int) -> int:
    """Return the bytes that Redis sent during one request."""
    with redis.Redis.from_url(redis_url) as server:
        before = server.info("stats")["total_net_output_bytes"]
        between = server.info("stats")["total_net_output_bytes"]
        assert client.get(url).status_code == status
        after = server.info("stats")["total_net_output_bytes"]
    # Each INFO counts the reply to the previous one, so the first two give the size of a reply.
    return int(after - between - (between - before))


@pytest.mark.parametrize(
    ("part", "return_url", "status"),
    [
        ("", "", 200),
        ("", "https://shop.example/kyc", 303),
        ("", "https://evil.example/", 200),
        ("/state", "https://shop.example/kyc", 200),
    ],
)
def test_a_large_result_is_not_read(
    client: FlaskClient,
    path: str,
    redis_url: str,
    answered: Callable[[str], None],
    part: str,
    return_url: str,
    status: int,
) -> None:
    answered(return_url)

    assert sent_for(redis_url, client, path + part, status) < MOST


def test_a_redirect_does_not_decrypt_the_result(
    client: FlaskClient, path: str, redis_url: str, answered: Callable[[str], None]
) -> None:
    answered("https://shop.example/kyc")
    with redis.Redis.from_url(redis_url) as server:
        for name in ("draft", "result", "link"):
            server.hset("satyapan:row:dl-1", name, b"not sealed: decryption fails")

    assert client.get(path).status_code == 303


def test_reading_the_state_decrypts_nothing(
    client: FlaskClient, path: str, redis_url: str, answered: Callable[[str], None]
) -> None:
    answered("https://shop.example/kyc")
    with redis.Redis.from_url(redis_url) as server:
        server.hset("satyapan:row:dl-1", "request", b"not sealed: decryption fails")

    assert client.get(f"{path}/state").status_code == 200


def test_a_kind_without_return_urls_decrypts_nothing(client: FlaskClient, redis_url: str) -> None:
    row = Row(id="pp-1", kind="passport", state=State.DONE, request={"name": "Canary"})
    with redis.Redis.from_url(redis_url) as server:
        Ledger(server, Keys(), KeyRing.parse(SEAL_KEYS)).insert(row, life_ms=60_000)
        server.hset("satyapan:row:pp-1", "request", b"not sealed: decryption fails")
    token = ReturnTokens([TOKEN_KEY], 3600).sign("passport", "pp-1")

    assert client.get(f"/return/passport/{token}").status_code == 200
