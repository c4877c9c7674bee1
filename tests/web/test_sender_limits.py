"""Sender limits: by address, before the signature is checked."""

import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from callbacks.app import create_app
from config.settings import read_settings
from tests.web.callbacks_app import EVENT, SECRET, environment, sign, signed, wakeups, written

URL = "/webhooks/cashfree"
BODY = written(EVENT)
FLAT = written(
    {
        "event_type": "BANK_ACCOUNT_VERIFICATION_SUCCESS",
        "event_time": "2126-01-05 10:11:12",
        "data": {"user_id": "u1", "account_status": "VALID"},
        "signature": sign(SECRET, "", b"VALIDu1"),
    }
)


def app(redis_url: str, **more: str) -> Flask:
    return create_app(read_settings(environment(redis_url, **more)))


def post(
    client: FlaskClient, *, good: bool = True, address: str = "203.0.113.7", via: str = ""
) -> TestResponse:
    headers = signed(BODY, **({} if good else {"secret": "x"}))
    if via:
        headers["X-Forwarded-For"] = via
    return client.post(URL, data=BODY, headers=headers, environ_base={"REMOTE_ADDR": address})


def test_an_address_with_many_bad_signatures_is_limited(redis_url: str) -> None:
    client = app(redis_url, CALLBACKS_REFUSALS_PER_MINUTE="3").test_client()

    statuses = [post(client, good=False).status_code for _ in range(5)]
    limited = post(client)

    assert statuses == [401, 401, 401, 429, 429]
    assert limited.status_code == 429
    assert limited.content_type == "application/problem+json"
    assert 0 < int(limited.headers["Retry-After"]) <= 20
    assert post(client, address="203.0.113.8").status_code == 200


def test_good_webhooks_are_never_limited(redis_url: str) -> None:
    client = app(redis_url, CALLBACKS_REFUSALS_PER_MINUTE="3").test_client()

    assert {post(client).status_code for _ in range(20)} == {200}


def test_a_sender_can_not_choose_its_address(redis_url: str) -> None:
    client = app(redis_url, CALLBACKS_REFUSALS_PER_MINUTE="1").test_client()

    first = post(client, good=False, via="198.51.100.1")
    second = post(client, good=False, via="198.51.100.2")

    assert (first.status_code, second.status_code) == (401, 429)


def test_the_address_is_the_last_one_in_the_header_of_a_trusted_proxy(
    redis_url: str,
) -> None:
    client = app(redis_url, CALLBACKS_REFUSALS_PER_MINUTE="1", CALLBACKS_PROXIES="1").test_client()

    one = post(client, good=False, via="198.51.100.1")
    other = post(client, good=False, via="198.51.100.2")
    again = post(client, good=False, via="192.0.2.9, 198.51.100.1")

    assert (one.status_code, other.status_code, again.status_code) == (401, 401, 429)


def test_only_listed_addresses_may_send_and_must_sign(redis_url: str) -> None:
    client = app(redis_url, CALLBACKS_VENDOR_ADDRESSES="203.0.113.0/28,2001:db8::7").test_client()

    assert post(client).status_code == 200
    assert post(client, good=False).status_code == 401
    assert post(client, address="2001:db8::7").status_code == 200
    assert post(client, address="::ffff:203.0.113.9").status_code == 200
    for address in ("203.0.113.99", "2001:db8::8", "", "nonsense"):
        refused = post(client, address=address)
        assert refused.status_code == 403
        assert refused.content_type == "application/problem+json"


def test_the_unsigned_probe_of_the_dashboard_is_accepted_only_by_setting(
    redis_url: str,
) -> None:
    headers = {"content-type": "application/json"}
    strict = app(redis_url).test_client()
    probed = app(redis_url, CALLBACKS_UNSIGNED_PROBE="accept").test_client()

    refused = strict.post(URL, data=BODY, headers=headers)
    accepted = probed.post(URL, data=BODY, headers=headers)

    assert refused.status_code == 401
    assert (accepted.status_code, accepted.json) == (200, {"status": "probe"})
    assert wakeups(redis_url) == []
    with redis.Redis.from_url(redis_url) as server:
        assert server.dbsize() == 0
    assert post(probed, good=False).status_code == 401


def test_only_the_configured_signature_scheme_is_accepted(redis_url: str) -> None:
    by_header = app(redis_url).test_client()
    by_body = app(redis_url, CASHFREE_WEBHOOK_SCHEME="body").test_client()
    json_only = {"content-type": "application/json"}

    assert post(by_header).status_code == 200
    assert post(by_body).status_code == 401
    assert by_header.post(URL, data=FLAT, headers=json_only).status_code == 401
    assert by_body.post(URL, data=FLAT, headers=json_only).status_code == 200
