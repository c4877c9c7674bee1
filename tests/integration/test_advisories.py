"""No pinned version that runs in production has a known vulnerability."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Final

import pytest

from tests.architecture.test_packaging import pins
from tests.support.http_listener import listening
from tests.support.project import ROOT

LOCK: Final = "requirements-run.lock"


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.advisories", LOCK, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


class _Database(BaseHTTPRequestHandler):
    """Knows one advisory, about Flask."""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        known = {"vulns": [{"id": "OSV-1", "modified": "2026-01-01T00:00:00Z"}]}
        results = [known if each["package"]["name"] == "flask" else {} for each in queries]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"results": results}).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    with listening(_Database) as address:
        yield f"{address}/"


def test_an_advisory_is_found_by_name_and_version(database: str) -> None:
    done = run_check(database)

    assert done.returncode == 1, done.stderr
    assert done.stdout == f"flask {pins(LOCK)['flask']}: OSV-1\n"


def test_no_pinned_production_version_has_a_known_advisory() -> None:
    done = run_check()

    if done.returncode == os.EX_TEMPFAIL:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
