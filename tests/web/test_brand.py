"""The brand is on every page, in every language, and only as text."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from callbacks.app import create_app
from callbacks.returns.pages import languages
from config.settings import read_settings
from satyapan.records import State
from tests.web.callbacks_app import environment, insert

NAME = 'A & B "Bank" <b>{name}</b> بنك 🏦'
LINK = "https://bank.example/app?a=1&b=2"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
ROW = "satyapan:row:dl-1"
PAGES = {
    "confirming": State.PENDING,
    "received": State.DONE,
    "declined": State.DENIED,
    "expired": State.EXPIRED,
    "later": State.PARKED,
}


@pytest.fixture
def brand(tmp_path: Path) -> dict[str, str]:
    """Every setting of the brand."""
    logo = tmp_path / "logo.svg"
    logo.write_bytes(SVG)
    return {
        "CALLBACKS_BRAND_NAME": NAME,
        "CALLBACKS_BRAND_LOGO": str(logo),
        "CALLBACKS_BRAND_COLOUR": "#97144D",
        "CALLBACKS_BRAND_LINK": LINK,
    }


@pytest.fixture
def branded(redis_url: str, brand: Mapping[str, str]) -> FlaskClient:
    return create_app(read_settings(environment(redis_url, **brand))).test_client()


@pytest.fixture
def address(redis_url: str, path: str, page: str) -> str:
    """Prepare a page; return its address."""
    if page == "unknown":
        return "/return/digilocker/nonsense"
    insert(redis_url, PAGES.get(page, State.PENDING))
    with redis.Redis.from_url(redis_url) as server:
        if page == "unavailable":
            server.delete(ROW)
            server.set(ROW, "no row: reading it fails")
        if page == "failed":
            server.hset(ROW, "asked", "not a number")
    return path


def shown(html: str) -> str:
    """Return a page's text as a person reads it."""
    return unescape(re.sub(r"<[^>]*>", "", html.partition("</style>")[2]))


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("page", [*PAGES, "unknown", "unavailable", "failed"])
def test_every_page_shows_the_brand_and_a_link_back(
    branded: FlaskClient, address: str, lang: str
) -> None:
    html = branded.get(f"{address}?lang={lang}").text

    assert f'<html lang="{lang}">' in html
    assert shown(html).count(NAME) == 2, "in the header, and in the link back"
    assert NAME in unescape(re.findall("<title>(.*)</title>", html)[0])
    assert f'<a class="back" href="{LINK.replace("&", "&amp;")}">' in html
    assert f'<img src="data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}" alt="">' in html
    assert "<b>" not in html, "the name is escaped"


@pytest.mark.parametrize("page", ["received", "unknown"])
def test_the_content_policy_allows_only_the_brand(branded: FlaskClient, address: str) -> None:
    answer = branded.get(address)

    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert "--accent: #97144D" in style
    assert f"style-src 'sha256-{digest}'" in policy
    assert "img-src data:;" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("page", ["confirming"])
def test_without_brand_settings_a_page_shows_no_brand(client: FlaskClient, address: str) -> None:
    answer = client.get(address)

    for part in ("<header>", "<img", 'class="back"', "<bdi>"):
        assert part not in answer.text
    assert "<title>We are confirming your details</title>" in answer.text
    assert "img-src" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("page", ["received"])
def test_without_a_brand_link_there_is_no_link_back(redis_url: str, address: str) -> None:
    env = environment(redis_url, CALLBACKS_BRAND_NAME="A Bank")

    html = create_app(read_settings(env)).test_client().get(address).text

    assert "<bdi>A Bank</bdi>" in html
    assert 'class="back"' not in html


def test_a_redirect_to_the_producer_takes_precedence_over_the_link_back(
    branded: FlaskClient, path: str, redis_url: str
) -> None:
    insert(redis_url, State.DONE, return_url="https://shop.example/kyc")

    answer = branded.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://shop.example/kyc?verification_id=dl-1"


def test_the_command_refuses_a_bad_logo_before_it_listens(redis_url: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.gif"
    logo.write_bytes(b"GIF89a")
    env = environment(redis_url, CALLBACKS_BRAND_NAME="A Bank", CALLBACKS_BRAND_LOGO=str(logo))

    done = subprocess.run(
        [sys.executable, "-m", "satyapan.cli", "callbacks", "--bind", "127.0.0.1:0"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "SATYAPAN_CALLBACKS_BRAND_LOGO" in done.stderr
    assert "neither PNG" in done.stderr
    assert "Traceback" not in done.stderr
    assert "listening" not in done.stdout
