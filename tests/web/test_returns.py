"""A person returns in a browser: a page or a redirect, and at most one status check."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import redis
import time_machine
from flask.testing import FlaskClient

from callbacks.app import create_app
from callbacks.returns import handler
from callbacks.returns.handler import STATUS_CHECK_INTERVAL_MS
from config.settings import Settings, read_settings
from demo.server import EmbeddedServer
from satyapan.names import STATUS_CHECK
from satyapan.records import TERMINAL, State
from satyapan.sealing import new_key
from shared.return_tokens import ReturnTokens
from tests.web.callbacks_app import TOKEN_KEY, environment, everything, insert, wakeups

TITLES = {
    State.ACCEPTED: ("We are confirming your details", "पुष्टि कर रहे हैं"),
    State.CLAIMED: ("We are confirming your details", "पुष्टि कर रहे हैं"),
    State.SENT: ("We are confirming your details", "पुष्टि कर रहे हैं"),
    State.PENDING: ("We are confirming your details", "पुष्टि कर रहे हैं"),
    State.UNKNOWN: ("We are confirming your details", "पुष्टि कर रहे हैं"),
    State.DONE: ("Thank you, we have received your details", "धन्यवाद"),
    State.DENIED: ("You chose not to share your documents", "साझा नहीं किए"),
    State.EXPIRED: ("This link has run out of time", "समय ख़त्म"),
    State.REFUSED: ("We could not finish this for now", "पूरा नहीं कर पाए"),
    State.FAILED: ("We could not finish this for now", "पूरा नहीं कर पाए"),
    State.LOST: ("We could not finish this for now", "पूरा नहीं कर पाए"),
    State.PARKED: ("We could not finish this for now", "पूरा नहीं कर पाए"),
}


class Page(HTMLParser):
    """Collects a page's tags with their attributes, and the text in each kind of tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.setdefault(self.tags[-1][0], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(("lang", "which"), [("en", 0), ("hi", 1)])
def test_each_state_has_its_page_in_each_language(
    client: FlaskClient, path: str, redis_url: str, state: State, lang: str, which: int
) -> None:
    insert(redis_url, state)

    answer = client.get(path, headers={"Accept-Language": f"{lang}-IN,{lang};q=0.9"})

    page = Page(answer.text)
    assert answer.status_code == 200
    assert TITLES[state][which] in "".join(page.texts["h1"])
    assert answer.headers["Content-Language"] == lang
    assert page.all("html") == [{"lang": lang}]


@pytest.mark.parametrize(
    ("query", "accepted", "lang"),
    [
        ("", "", "en"),
        ("", "fr, *;q=0.1", "en"),
        ("", "gu, hi;q=0.8, en;q=0.5", "hi"),
        ("", "ta-IN, hi;q=0.8, en;q=0.5", "ta"),
        ("", "ta-IN, en;q=0.9", "ta"),
        ("", "hi;q=0, mr;q=0.5", "mr"),
        ("", "*", "en"),
        ("", "\x7f;;q=zz,,", "en"),
        ("?lang=hi", "en", "hi"),
        ("?lang=en", "hi", "en"),
        ("?lang=../../secrets", "hi", "hi"),
    ],
)
def test_the_language_is_the_requested_one_or_else_the_browsers(
    client: FlaskClient, path: str, redis_url: str, query: str, accepted: str, lang: str
) -> None:
    insert(redis_url)

    answer = client.get(path + query, headers={"Accept-Language": accepted})

    assert Page(answer.text).all("html") == [{"lang": lang}]
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_page_is_accessible_and_works_without_script(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)

    page = Page(client.get(path).text)

    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert [tag for tag, attributes in page.tags if attributes.get("role") == "status"] == ["div"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert page.all("script") == [{}], "one script of our own, inside the page"
    assert [each["class"] for each in page.all("p") if "hidden" in each] == ["paused", "live"]
    assert not [meta for meta in page.all("meta") if meta.get("http-equiv")]
    assert not [tag for tag, attributes in page.tags if "src" in attributes]


def test_the_links_of_an_open_page_keep_the_path_and_drop_other_parameters(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)

    page = Page(client.get(f"{path}?lang=hi&verification_id=forged").text)

    # Relative, so the path stays and the vendor's parameter is dropped.
    assert page.all("a")[0] == {"class": "again", "href": "?lang=hi"}
    assert page.all("a")[1:] == [
        {"href": f"?lang={lang}", "lang": lang, "hreflang": lang}
        for lang in ("en", "bn", "mr", "ta", "te")
    ]


@pytest.mark.parametrize("state", [State.DONE, State.DENIED, State.EXPIRED, State.FAILED])
def test_the_page_of_an_ended_verification_does_not_offer_to_check_again(
    client: FlaskClient, path: str, redis_url: str, state: State
) -> None:
    insert(redis_url, state)

    assert "Check again" not in client.get(path).text


def test_a_return_requests_one_status_check_and_changes_nothing_else(
    client: FlaskClient, path: str, redis_url: str, settings: Settings
) -> None:
    insert(redis_url)
    before = everything(redis_url, settings.producer)

    answers = [client.get(path).status_code for _ in range(5)]

    assert answers == [200] * 5
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]
    assert before
    assert everything(redis_url, settings.producer) == before


def test_the_mark_of_a_status_check_expires_within_two_seconds(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    client.get(path)

    assert STATUS_CHECK_INTERVAL_MS <= 2000
    with redis.Redis.from_url(redis_url) as server:
        assert (
            0 < int(server.pttl("satyapan:status-check:dl-1")) <= handler.STATUS_CHECK_INTERVAL_MS
        )
        server.delete("satyapan:status-check:dl-1")
    client.get(path)

    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])] * 2


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_return_to_a_final_verification_requests_no_status_check(
    client: FlaskClient, path: str, redis_url: str, state: State
) -> None:
    insert(redis_url, state)

    client.get(path)

    assert wakeups(redis_url) == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_only_get_has_an_effect(
    client: FlaskClient, path: str, redis_url: str, settings: Settings, method: str
) -> None:
    insert(redis_url)
    before = everything(redis_url, settings.producer)

    answer = client.open(path, method=method)

    assert answer.status_code == (200 if method in {"HEAD", "OPTIONS"} else 405)
    assert answer.data == b"" or answer.content_type == "application/problem+json"
    assert wakeups(redis_url) == []
    with redis.Redis.from_url(redis_url) as server:
        assert not server.exists("satyapan:status-check:dl-1")
    assert everything(redis_url, settings.producer) == before


@pytest.mark.parametrize(
    "query",
    ["", "?verification_id=dl-1", "?verification_id=dl-2", "?verification_id=a&verification_id=b"],
)
def test_the_vendors_own_parameter_is_never_read(
    client: FlaskClient, path: str, redis_url: str, query: str
) -> None:
    insert(redis_url)

    assert client.get(path + query).status_code == 200
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]


def test_a_trailing_slash_does_not_matter(client: FlaskClient, path: str, redis_url: str) -> None:
    insert(redis_url)

    assert client.get(f"{path}/").status_code == 200


def test_a_person_is_redirected_to_the_producers_page(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url, return_url="https://shop.example/kyc?order=7#end")

    answer = client.get(f"{path}?verification_id=forged")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://shop.example/kyc?order=7&verification_id=dl-1#end"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]


@pytest.mark.parametrize(
    "return_url", ["https://evil.example/", "https://evil.example\\@shop.example"]
)
def test_nobody_is_redirected_to_a_host_that_is_not_allowed(
    client: FlaskClient, path: str, redis_url: str, return_url: str
) -> None:
    insert(redis_url, return_url=return_url)

    answer = client.get(path)

    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert "evil" not in answer.text


def test_forged_expired_and_unknown_look_the_same(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    tokens = ReturnTokens([TOKEN_KEY], 3600)
    insert(redis_url)
    with time_machine.travel("2020-01-01"):
        expired = tokens.sign("digilocker", "dl-1")
    forged = ReturnTokens(["another-key-of-at-least-32-letters"], 1).sign("digilocker", "dl-1")
    paths = {
        "forged": f"/return/digilocker/{forged}",
        "expired": f"/return/digilocker/{expired}",
        "unknown": f"/return/digilocker/{tokens.sign('digilocker', 'dl-2')}",
        "cut": path[:-1],
        "other kind": path.replace("digilocker", "passport"),
        "no token of ours": "/return/digilocker/%FF%00..",
        "no token": "/return/digilocker/",
        "no kind": "/return/",
    }

    answers = {name: client.get(each) for name, each in paths.items()}

    for name, answer in answers.items():
        assert answer.status_code == 404, name
        assert answer.data == answers["forged"].data, name
        assert dict(answer.headers) == dict(answers["forged"].headers), name
    assert "This link does not work" in answers["forged"].text
    assert wakeups(redis_url) == []


def test_every_response_has_the_security_headers(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)

    for url in (path, "/return/x/y", "/webhooks/cashfree", "/healthz", "/readyz", "/nowhere"):
        headers = client.get(url).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "noindex" in headers["X-Robots-Tag"]
        assert "Set-Cookie" not in headers


def test_the_content_policy_allows_the_style_of_the_page(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)

    answer = client.get(path)

    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    assert f"style-src '{_hash(style[1])}'" in answer.headers["Content-Security-Policy"]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_without_the_ledger_the_page_asks_the_person_to_try_again_later(
    tmp_path: Path, path: str
) -> None:
    with EmbeddedServer(tmp_path) as server:
        insert(server.url)
        client = create_app(read_settings(environment(server.url))).test_client()
        assert client.get(path).status_code == 200
        server.kill()

        answer = client.get(path, headers={"Accept-Language": "hi"})
        english = client.get(path)

    assert answer.status_code == english.status_code == 503
    assert "कुछ देर बाद" in answer.text
    assert "try again later" in english.text
    assert "Check again" in english.text
    for clue in ("Traceback", "Error", "127.0.0.1", "dl-1"):
        assert clue not in english.text


def test_a_row_sealed_under_a_missing_key_gives_503_without_a_traceback(
    redis_url: str, path: str
) -> None:
    insert(redis_url, return_url="https://shop.example/")
    client = create_app(
        read_settings(environment(redis_url, SEAL_KEYS=new_key("k2")))
    ).test_client()

    answer = client.get(path)

    assert answer.status_code == 503
    assert "k1" not in answer.text


def test_an_unexpected_error_shows_a_page_and_logs_no_token(
    redis_url: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    insert(redis_url)
    with redis.Redis.from_url(redis_url) as server:
        server.hset("satyapan:row:dl-1", "asked", "not a number: Canary")
    client = create_app(read_settings(environment(redis_url))).test_client()

    answer = client.get(path)

    assert answer.status_code == 500
    assert "Canary" not in answer.text
    assert "try again later" in answer.text
    assert path.rpartition("/")[2] not in caplog.text
