"""Webhooks with a real Redis: stored once and sealed before the vendor gets its 2xx."""

import json
import logging
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from callbacks.app import create_app
from config.settings import read_settings
from demo.server import EmbeddedServer
from satyapan.names import INGEST
from shared.inbox.inbox import Inbox
from shared.inbox.stored_webhook import WebhookState
from tests.web.callbacks_app import EVENT, environment, now_ms, signed, wakeups, written

URL = "/webhooks/cashfree"
BODY = written(EVENT)


def stored(redis_url: str) -> list[str]:
    """Return the ids of all webhooks in the inbox."""
    with redis.Redis.from_url(redis_url) as client:
        return [key.decode().rpartition(":")[2] for key in client.keys("satyapan:inbox:*")]


def test_a_signed_webhook_is_stored_sealed_and_workers_are_woken(
    client: FlaskClient, inbox: Inbox, redis_url: str
) -> None:
    answer = client.post(URL, data=BODY, headers=signed(BODY))

    assert (answer.status_code, answer.json) == (200, {"status": "stored"})
    (webhook_id,) = stored(redis_url)
    webhook = inbox.read(webhook_id)
    assert webhook
    assert json.loads(webhook.body) == EVENT
    assert (webhook.vendor, webhook.event) == ("cashfree", "DIGILOCKER_VERIFICATION_SUCCESS")
    assert webhook.state is WebhookState.NEW
    assert wakeups(redis_url) == [(INGEST, [webhook_id])]
    with redis.Redis.from_url(redis_url) as server:
        assert b"Canary" not in b"".join(server.dump(key) or b"" for key in server.keys("*"))


def test_a_stored_webhook_is_due_even_if_its_wake_up_is_lost(
    client: FlaskClient, redis_url: str
) -> None:
    client.post(URL, data=BODY, headers=signed(BODY))

    with redis.Redis.from_url(redis_url) as server:
        assert [m.decode() for m in server.zrange("satyapan:inbox-due", 0, -1)] == stored(redis_url)


def test_a_repeated_delivery_under_a_new_timestamp_is_stored_once(
    client: FlaskClient, redis_url: str
) -> None:
    first = client.post(URL, data=BODY, headers=signed(BODY))
    again = client.post(URL, data=BODY, headers=signed(BODY, timestamp=str(now_ms() + 127_000)))

    assert first.status_code == again.status_code == 200
    assert len(stored(redis_url)) == 1


def test_the_same_content_written_differently_is_stored_once(
    client: FlaskClient, redis_url: str
) -> None:
    other = json.dumps(dict(reversed(EVENT.items())), indent=2).encode()

    client.post(URL, data=BODY, headers=signed(BODY))
    client.post(URL, data=other, headers=signed(other))

    assert len(stored(redis_url)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"event_time": "2126-01-05T10:11:13Z"},
        {"event_type": "DIGILOCKER_VERIFICATION_FAILURE"},
        {"data": {"verification_id": "dl-2"}},
        {"data": {**EVENT["data"], "step": 2}},  # type: ignore[dict-item] # it is a mapping
    ],
    ids=["time", "type", "id", "next step"],
)
def test_different_content_is_another_webhook(
    client: FlaskClient, redis_url: str, change: dict[str, object]
) -> None:
    other = written({**EVENT, **change})

    client.post(URL, data=BODY, headers=signed(BODY))
    client.post(URL, data=other, headers=signed(other))

    assert len(stored(redis_url)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"event_type": 7, "event_time": "t", "data": {}}',
        b'{"event_type": "a name, perhaps", "event_time": "t", "data": {}}',
        b'{"event_type": {"x": 1}, "event_time": NaN, "data": "\\ud800"}',
        b"{\xff\xfe\x00",
        b'{"a":' * 10_000,
        b'{"a": {"a": ' + b"[" * 200 + b"]" * 200 + b"}}",
    ],
    ids=lambda body: body[:24].decode("latin-1") or "empty",
)
def test_a_signed_body_of_unknown_form_is_stored_without_an_event(
    client: FlaskClient, inbox: Inbox, redis_url: str, body: bytes
) -> None:
    answer = client.post(URL, data=body, headers=signed(body))

    assert answer.status_code == 200
    webhook = inbox.read(stored(redis_url)[0])
    assert webhook
    assert webhook.event == ""


@pytest.mark.parametrize("data", ['"\\ud800"', "NaN", "null"])
def test_a_webhook_with_invalid_data_keeps_its_event(
    client: FlaskClient, inbox: Inbox, redis_url: str, data: str
) -> None:
    body = f'{{"event_type": "KYC_LINK_SUCCESS", "event_time": "t", "data": {data}}}'.encode()

    answer = client.post(URL, data=body, headers=signed(body))

    assert answer.status_code == 200
    webhook = inbox.read(stored(redis_url)[0])
    assert webhook
    assert webhook.event == "KYC_LINK_SUCCESS"


def test_a_forged_webhook_is_refused_and_nothing_is_stored(
    client: FlaskClient, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = signed(BODY, secret="somebody else's")

    with caplog.at_level(logging.DEBUG):
        answer = client.post(URL, data=BODY, headers=headers)

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    with redis.Redis.from_url(redis_url) as server:
        assert server.dbsize() == 0
    (record,) = [r for r in caplog.records if r.name.startswith("callbacks")]
    assert record.__dict__["code"] == "signature_mismatch"
    assert "Canary" not in caplog.text
    assert headers["x-webhook-signature"] not in caplog.text


def test_a_body_changed_in_transit_is_refused(client: FlaskClient, redis_url: str) -> None:
    answer = client.post(URL, data=BODY + b" ", headers=signed(BODY))

    assert answer.status_code == 401
    assert stored(redis_url) == []


def test_every_secret_in_use_is_accepted(redis_url: str) -> None:
    env = environment(redis_url, CASHFREE_WEBHOOK_SECRETS="new-secret,old-secret")
    client = create_app(read_settings(env)).test_client()

    answers = [
        client.post(URL, data=BODY, headers=signed(BODY, secret=secret)).status_code
        for secret in ("new-secret", "old-secret", "the-client-secret")
    ]

    assert answers == [200, 200, 401]


def test_without_any_secret_nothing_is_accepted(redis_url: str) -> None:
    env = environment(redis_url, CASHFREE_CLIENT_SECRET="")
    client = create_app(read_settings(env)).test_client()

    assert client.post(URL, data=BODY, headers=signed(BODY, secret="")).status_code == 401


def test_a_store_that_is_down_means_503_and_the_retry_is_stored(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        client = create_app(read_settings(environment(server.url))).test_client()
        assert client.post(URL, data=b"{}", headers=signed(b"{}")).status_code == 200
        server.kill()

        refused = client.post(URL, data=BODY, headers=signed(BODY))
        server.restart()
        retried = client.post(URL, data=BODY, headers=signed(BODY))

        assert (refused.status_code, retried.status_code) == (503, 200)
        assert refused.content_type == "application/problem+json"
        assert refused.headers["Retry-After"]
        assert str(server.port) not in refused.text
        assert len(stored(server.url)) == 2


def test_a_store_that_refuses_writes_means_503(client: FlaskClient, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.config_set("maxmemory", 1)
        try:
            answer = client.post(URL, data=BODY, headers=signed(BODY))
        finally:
            server.config_set("maxmemory", 0)

    assert answer.status_code == 503
    assert stored(redis_url) == []


def test_a_broker_that_is_down_does_not_matter(redis_url: str) -> None:
    env = environment(redis_url, BROKER_URL="redis://127.0.0.1:1/0")
    client = create_app(read_settings(env)).test_client()

    answer = client.post(URL, data=BODY, headers=signed(BODY))

    assert answer.status_code == 200
    assert len(stored(redis_url)) == 1


@pytest.mark.parametrize("beyond", [1, 2, 100_000])
def test_a_body_beyond_the_cap_is_refused(client: FlaskClient, redis_url: str, beyond: int) -> None:
    body = BODY.ljust(65_536 + beyond)

    answer = client.post(URL, data=body, headers=signed(body))

    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"
    assert stored(redis_url) == []


class Endless:
    """An endless chunked body."""

    taken = 0

    def read(self, size: int) -> bytes:
        self.taken += size
        assert self.taken < 1_000_000, "the body is read beyond the cap"
        return bytes(size)


def test_an_endless_body_is_read_only_up_to_the_cap(client: FlaskClient, redis_url: str) -> None:
    body = {"wsgi.input": Endless(), "wsgi.input_terminated": True}

    answer = client.post(URL, headers=signed(BODY), environ_overrides=body)

    assert answer.status_code == 413
    assert stored(redis_url) == []


def test_a_body_as_large_as_the_cap_is_accepted(client: FlaskClient, redis_url: str) -> None:
    body = BODY.ljust(65_536)

    assert client.post(URL, data=body, headers=signed(body)).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_accepted(client: FlaskClient, redis_url: str, content_type: str) -> None:
    headers = {**signed(BODY), "content-type": content_type}

    answer = client.post(URL, data=BODY, headers=headers)

    assert answer.status_code == 415
    assert stored(redis_url) == []


def test_a_trailing_slash_does_not_redirect(client: FlaskClient, redis_url: str) -> None:
    answer = client.post(f"{URL}/", data=BODY, headers=signed(BODY))

    assert answer.status_code == 200
    assert len(stored(redis_url)) == 1


@pytest.mark.parametrize("url", ["/webhooks/nobody", "/webhooks", "/webhooks//cashfree", "/"])
def test_other_paths_are_not_found_and_never_redirect(client: FlaskClient, url: str) -> None:
    answer = client.open(url, method="POST", data=BODY, headers=signed(BODY))

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_other_methods_are_refused(client: FlaskClient, method: str) -> None:
    answer = client.open(URL, method=method)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
