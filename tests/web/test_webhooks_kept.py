"""The stored form of an authentic webhook: if recent, scrubbed content under a keyed digest."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from callbacks.app import create_app
from callbacks.webhooks.incoming_webhook import signed_content
from config.settings import read_settings
from satyapan.canonical import canonical
from satyapan.names import Keys
from shared.inbox.inbox import Inbox
from shared.inbox.stored_webhook import WebhookState
from tests.web.callbacks_app import EVENT, environment, now_ms, signed, stored_inbox, written

URL = "/webhooks/cashfree"
NUMBER = "234123412346"
MASKED = "XXXX XXXX 2346"
PROSE = "These are words of a letter. " * 100
WEEK_MS = 7 * 86_400_000


def kept(inbox: Inbox) -> list[Any]:
    """Return the content of every webhook in the inbox."""
    webhooks = [inbox.read(one.id) for one in inbox.newest(None, 99)]
    return [json.loads(webhook.body) for webhook in webhooks if webhook]


def post(client: FlaskClient, body: bytes, timestamp: str = "") -> str:
    """Deliver a webhook; return the status in the response."""
    answer = client.post(URL, data=body, headers=signed(body, timestamp=timestamp))
    assert answer.status_code == 200
    assert answer.json
    return str(answer.json["status"])


def test_full_aadhaar_numbers_are_not_stored(client: FlaskClient, inbox: Inbox) -> None:
    link = f"https://forms.example/{NUMBER}"
    data = {
        "verification_id": NUMBER,
        "form_link": link,
        "text": f"no. {NUMBER}",
        "long": f"{PROSE}<uid>{NUMBER}</uid>",
        "number": int(NUMBER),
        NUMBER: [NUMBER],
    }

    post(client, written({**EVENT, "event_type": "KYC_LINK_SUCCESS", "data": data, "uid": NUMBER}))

    (content,) = kept(inbox)
    assert (content["data"].pop("verification_id"), content["data"].pop("form_link")) == (
        NUMBER,
        link,
    )
    assert NUMBER not in json.dumps(content)
    assert content["uid"] == content["data"]["number"] == MASKED
    assert content["data"]["long"] == f"{PROSE}<uid>{MASKED}</uid>"


def test_an_aadhaar_number_in_the_name_of_an_event_is_masked(
    client: FlaskClient, inbox: Inbox
) -> None:
    post(client, written({**EVENT, "event_type": NUMBER}))

    (webhook,) = inbox.newest(None, 9)
    assert NUMBER not in webhook.event


@pytest.mark.parametrize(
    ("odd", "safe"),
    [
        ("NaN", None),
        ("-Infinity", None),
        ("1e999", None),
        ("9" * 5_000, None),
        ('"\\ud800"', "?"),
        ('"a\\udfff"', "a?"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("[" * 50 + "]" * 50, json.loads("[" * 50 + "]" * 50)),
    ],
)
def test_values_that_cannot_be_stored_are_replaced(
    client: FlaskClient, inbox: Inbox, odd: str, safe: object
) -> None:
    body = f'{{"event_type": "X", "event_time": "t", "data": {{"odd": {odd}}}}}'.encode()

    assert post(client, body) == "stored"
    assert post(client, body) == "stored"

    (content,) = kept(inbox)
    assert content["data"] == {"odd": safe}


@pytest.mark.parametrize(
    "body",
    [
        f'{{"uid": "{NUMBER}"'.encode(),
        b'{"uid": "\xff' + NUMBER.encode() + b'"}',
        b'{"uid": ' * 200 + f'"{NUMBER}"'.encode() + b"}" * 200,
        b'{"uid": ' * 7_000 + f'"{NUMBER}"'.encode(),
    ],
    ids=["cut", "no text", "deep", "very deep"],
)
def test_only_the_size_of_an_unreadable_body_is_stored(
    client: FlaskClient, inbox: Inbox, body: bytes
) -> None:
    for _ in range(2):
        assert post(client, body) == "stored"

    assert kept(inbox) == [{"unreadable": True, "bytes": len(body)}]


def test_a_webhook_id_can_only_be_computed_with_the_key_of_the_installation(
    client: FlaskClient, inbox: Inbox, redis_url: str
) -> None:
    body = written(EVENT)
    post(client, body)

    (webhook,) = inbox.newest(None, 9)
    said = canonical([EVENT["event_type"], EVENT["event_time"], EVENT["data"]])
    assert webhook.id != hashlib.sha256(b"cashfree\0" + said).hexdigest()
    assert webhook.id == inbox.webhook_id("cashfree", signed_content(body))
    other = Inbox(redis.Redis.from_url(redis_url), Keys(), inbox._ring, 60_000, b"another key")
    assert webhook.id != other.webhook_id("cashfree", signed_content(body))


def hours_ago(hours: float, form: str) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime(form)


@pytest.mark.parametrize(
    "form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+05:30"]
)
def test_a_webhook_older_than_the_retention_is_answered_and_dropped(
    client: FlaskClient, inbox: Inbox, form: str
) -> None:
    young = written({**EVENT, "event_time": hours_ago(7 * 24 - 6, form)})
    old = written({**EVENT, "event_time": hours_ago(7 * 24 + 6, form)})

    assert (post(client, young), post(client, old)) == ("stored", "outdated")

    assert kept(inbox) == [json.loads(young)]
    assert 'outcome="outdated"' in client.get("/metrics").text


@pytest.mark.parametrize(
    "sent", [None, "", "soon", 7, [], "2026-13-45", "0001-01-01T00:00:00+14:00x"]
)
def test_a_webhook_with_an_unreadable_time_is_stored(client: FlaskClient, sent: object) -> None:
    assert post(client, written({**EVENT, "event_time": sent})) == "stored"


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+14:00", "0001-01-01 00:00:00"])
def test_a_webhook_with_the_oldest_possible_time_is_dropped(client: FlaskClient, sent: str) -> None:
    assert post(client, written({**EVENT, "event_time": sent})) == "outdated"


def test_a_webhook_signed_before_the_retention_is_dropped(
    client: FlaskClient, inbox: Inbox
) -> None:
    body = written({**EVENT, "event_time": "unknown"})

    assert post(client, body, str(now_ms() - WEEK_MS - 60_000)) == "outdated"
    assert post(client, body, str(now_ms() - WEEK_MS + 60_000)) == "stored"
    assert len(kept(inbox)) == 1


def test_a_replay_after_retention_is_not_stored(redis_url: str) -> None:
    env = environment(redis_url, RETENTION_INBOX_S="3600")
    client = create_app(read_settings(env)).test_client()
    inbox = stored_inbox(redis_url)
    body, stamp = written({**EVENT, "event_time": hours_ago(0.5, "%Y-%m-%dT%H:%M:%SZ")}), now_ms()
    assert post(client, body, str(stamp - 3_590_000)) == "stored"
    (webhook,) = inbox.newest(None, 9)
    with redis.Redis.from_url(redis_url) as server:
        server.delete(Keys().inbox(webhook.id))  # as if it had expired

    assert post(client, body, str(stamp - 3_610_000)) == "outdated"

    assert list(inbox.newest(None, 9)) == []


def test_webhooks_about_a_forgotten_verification_are_not_stored_again(
    client: FlaskClient, inbox: Inbox, redis_url: str
) -> None:
    body = written(EVENT)
    later = written({**EVENT, "event_time": "2126-01-05T10:11:12Z"})
    other = written({**EVENT, "data": {"verification_id": "dl-2"}})
    for each in (body, other):
        post(client, each)

    assert inbox.forget("cashfree", ["dl-1"]) == 1
    answers = [post(client, each) for each in (body, later, other)]

    assert answers == ["forgotten", "forgotten", "stored"]
    assert kept(inbox) == [json.loads(other)]
    with redis.Redis.from_url(redis_url) as server:
        assert [key for key in server.scan_iter("*") if b"dl-1" in key] == []
        assert server.zcard(Keys().inbox_due) == 1
        assert server.zcard(Keys().inbox_index(WebhookState.NEW)) == 1


def test_the_mark_of_a_forgotten_verification_outlives_every_possible_webhook(
    inbox: Inbox, redis_url: str
) -> None:
    inbox.forget("cashfree", ["dl-1"])

    with redis.Redis.from_url(redis_url) as server:
        (mark,) = server.scan_iter("*:inbox-forgotten:*")
        life: Any = server.pttl(mark)
    assert inbox.life_ms < life <= inbox.life_ms + 86_400_000
