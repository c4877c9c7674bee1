"""The page's script: its requests, their responses, and the policy that allows it."""

import base64
import hashlib
import re
import statistics
import time
from collections.abc import Mapping

import pytest
import redis
import time_machine
from flask.testing import FlaskClient

from config.settings import Settings
from satyapan.names import STATUS_CHECK
from satyapan.records import State
from shared.return_tokens import ReturnTokens
from tests.support.project import ROOT
from tests.web.callbacks_app import TOKEN_KEY, asked_ago, everything, insert, wakeups

ROUNDS = 200


@pytest.mark.parametrize(
    ("state", "reason", "page", "settled"),
    [
        (State.PENDING, "", "confirming", False),
        (State.DONE, "", "received", True),
        (State.DONE, "partial", "received", True),
        (State.DONE, "nothing_shared", "nothing_shared", True),
        (State.DENIED, "", "declined", True),
        (State.EXPIRED, "", "expired", True),
        (State.PARKED, "", "later", True),
    ],
)
@pytest.mark.parametrize("lang", ["en", "hi"])
def test_the_state_has_the_same_texts_as_the_page(
    client: FlaskClient,
    path: str,
    redis_url: str,
    state: State,
    reason: str,
    page: str,
    settled: bool,
    lang: str,
) -> None:
    insert(redis_url, state, reason=reason)

    answer = client.get(f"{path}/state?lang={lang}")
    shown = client.get(f"{path}?lang={lang}").text

    found = answer.json or {}
    assert set(found) == {"page", "settled", "title", "text"}
    assert (found["page"], found["settled"]) == (page, settled)
    assert f"<h1>{found['title']}</h1>" in shown
    assert f"<p>{found['text']}</p>" in shown.replace("&#39;", "'")
    assert answer.headers["Content-Language"] == lang
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("lang", "title", "so_far"),
    [
        ("en", "We are still confirming your details", "Minutes so far: more than 3."),
        ("hi", "हम अभी भी आपकी जानकारी की पुष्टि कर रहे हैं", "अब तक 3 मिनट से ज़्यादा"),
    ],
)
def test_the_page_of_a_long_wait_shows_its_minutes(
    client: FlaskClient, path: str, redis_url: str, lang: str, title: str, so_far: str
) -> None:
    insert(redis_url)
    asked_ago(redis_url, minutes=0)
    fresh = (client.get(f"{path}?lang={lang}").text, client.get(f"{path}/state").json or {})
    asked_ago(redis_url, minutes=3)
    shown = client.get(f"{path}?lang={lang}").text
    found = client.get(f"{path}/state?lang={lang}").json or {}

    assert 'data-page="confirming"' in fresh[0]
    assert (fresh[1]["page"], fresh[1]["settled"]) == ("confirming", False)
    assert 'data-page="slow"' in shown
    assert f"<h1>{title}</h1>" in shown
    assert so_far in shown
    assert f"<p>{found['text']}</p>" in shown
    assert (found["page"], found["settled"], found["title"]) == ("slow", False, title)
    assert "{" not in found["text"]


def test_a_slow_page_has_a_script_and_offers_to_check_again(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    asked_ago(redis_url, minutes=3)

    shown = client.get(path).text

    assert 'data-page="slow"' in shown
    assert ">Check again</a>" in shown, "the script needs this text, too"
    assert "<script>" in shown
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]


def test_redis_time_is_read_only_if_needed_and_without_it_a_page_is_unavailable(
    client: FlaskClient, path: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_client: object) -> None:
        raise redis.ConnectionError

    def statuses() -> list[int]:
        return [client.get(path + part).status_code for part in ("", "/state")]

    insert(redis_url)
    found = {}
    with monkeypatch.context() as patch:
        patch.setattr(redis.Redis, "time", away)
        found["nobody asked"] = statuses()
    asked_ago(redis_url, minutes=3)
    with monkeypatch.context() as patch:
        patch.setattr(redis.Redis, "time", away)
        found["open"] = statuses()
        page = client.get(path).text
        insert_done(redis_url)
        found["settled"] = statuses()

    assert found == {"nobody asked": [200, 200], "open": [503, 503], "settled": [200, 200]}
    assert "try again later" in page


def test_only_a_page_that_can_change_has_a_script_and_the_policy_allows_it(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    answer = client.get(path)
    script = re.search(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    insert_done(redis_url)
    ended = client.get(path)

    assert script
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["script-src"] == f"'{sha256(script[1])}'"
    assert policy["connect-src"] == "'self'"
    assert "<script" not in ended.text


def insert_done(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.hset("satyapan:row:dl-1", "state", State.DONE)


def sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_reading_the_state_requests_no_further_status_checks(
    client: FlaskClient, path: str, redis_url: str, settings: Settings
) -> None:
    insert(redis_url)
    before = everything(redis_url, settings.producer)

    for _ in range(5):
        client.get(path)
        client.get(f"{path}/state")

    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]
    assert everything(redis_url, settings.producer) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "Prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["", "/state"])
def test_a_prefetch_requests_no_status_check(
    client: FlaskClient, path: str, redis_url: str, headers: Mapping[str, str], part: str
) -> None:
    insert(redis_url)

    answer = client.get(path + part, headers=headers)

    assert answer.status_code == 200
    assert wakeups(redis_url) == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_reading_the_state_requests_a_status_check_only_by_get(
    client: FlaskClient, path: str, redis_url: str, method: str
) -> None:
    insert(redis_url)

    answer = client.open(f"{path}/state", method=method)

    assert answer.status_code == (405 if method == "POST" else 200)
    assert wakeups(redis_url) == []


@pytest.mark.parametrize(
    "added",
    [
        "?verification_id=dl-2",
        "&verification_id=dl-2",
        "%3Fverification_id=dl-2",
        "%26verification_id=dl-2",
        "/?verification_id=dl-2",
        "&verification_id=dl-2&verification_id=dl-3",
    ],
)
def test_the_vendor_may_append_its_parameter_in_any_way(
    client: FlaskClient, path: str, redis_url: str, added: str
) -> None:
    insert(redis_url)

    assert client.get(path + added).status_code == 200
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]


def invalid_links(path: str) -> dict[str, str]:
    """Return links that lead to no verification, by reason."""
    tokens = ReturnTokens([TOKEN_KEY], 3600)
    with time_machine.travel("2020-01-01"):
        expired = tokens.sign("digilocker", "dl-1")
    forged = path[:-4] + ("AAAA" if not path.endswith("AAAA") else "BBBB")
    return {
        "forged": forged,
        "expired": f"/return/digilocker/{expired}",
        "unknown": f"/return/digilocker/{tokens.sign('digilocker', 'dl-2')}",
        "nonsense": "/return/digilocker/x",
    }


@pytest.mark.parametrize("part", ["", "/state"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_invalid_links_get_the_same_bytes_and_headers(
    client: FlaskClient, path: str, redis_url: str, part: str, method: str
) -> None:
    insert(redis_url)

    answers = [client.open(each + part, method=method) for each in invalid_links(path).values()]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(sorted(answer.headers)) for answer in answers}) == 1


def reads(server: "redis.Redis") -> int:
    """Return the number of rows read since the server's counters were reset."""
    stats = server.info("commandstats")
    return int(stats.get("cmdstat_hmget", {"calls": 0})["calls"])


def test_all_invalid_links_cost_the_same_number_of_reads(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    took: dict[str, list[float]] = {name: [] for name in invalid_links(path)}
    cost: dict[str, int] = {}

    with redis.Redis.from_url(redis_url) as server:
        for name, each in invalid_links(path).items():
            before = reads(server)
            client.get(each)
            cost[name] = reads(server) - before
    for _ in range(ROUNDS):
        for name, each in invalid_links(path).items():
            begun = time.perf_counter()
            client.get(each)
            took[name].append((time.perf_counter() - begun) * 1000)

    assert cost == dict.fromkeys(cost, 1)
    show(took)


def show(took: Mapping[str, list[float]]) -> None:
    """Write the distributions to a file. Nothing is asserted, because the machine may be busy."""
    lines = [f"{'ms':10}{'p10':>8}{'median':>8}{'p90':>8}{'p99':>8}   of {ROUNDS} each"]
    for name, times in took.items():
        cuts = statistics.quantiles(times, n=100)
        lines.append(f"{name:10}" + "".join(f"{cuts[at - 1]:8.3f}" for at in (10, 50, 90, 99)))
    text = "\n".join(lines) + "\n"
    print(text)
    ROOT.joinpath("test-output").mkdir(exist_ok=True)
    ROOT.joinpath("test-output", "return-timing.txt").write_text(text, encoding="utf-8")


def test_without_the_ledger_valid_and_invalid_links_get_the_same_page(
    client: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url)
    with redis.Redis.from_url(redis_url) as server:
        for name in (b"satyapan:row:dl-1", b"satyapan:row:dl-2", b"satyapan:row: "):
            server.delete(name)
            server.set(name, "not a hash: every read of it fails")

    answers = [client.get(each) for each in [path, *invalid_links(path).values()]]

    assert [answer.status_code for answer in answers] == [503] * 5
    assert len({answer.data for answer in answers}) == 1
    assert client.get(f"{path}/state").content_type == "application/problem+json"
