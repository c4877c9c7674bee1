"""The sandbox as a process: its output, its options, its end."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.contract.conftest import KEYS, Process

GOOD = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


def test_it_serves_at_the_printed_address(spawn: Callable[..., Process]) -> None:
    process = spawn("--account", "me:mine", "--latency-ms", "1")
    headers = {"x-client-id": "me", "x-client-secret": "mine"}

    body = {**GOOD, "verification_id": "p-1"}
    good = process.vendor.call("POST", "/passport", json=body, headers=headers)
    bad = process.vendor.call("POST", "/passport", json=body, headers=KEYS)

    assert (good.status_code, bad.status_code) == (200, 401)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_without_further_output(
    spawn: Callable[..., Process], stop: signal.Signals
) -> None:
    process = spawn()
    process.vendor.call("POST", "/passport", json={**GOOD, "verification_id": "p-1"})

    process.popen.send_signal(stop)

    output, _ = process.popen.communicate(timeout=60)
    assert (process.popen.returncode, output) == (0, "")


def test_the_audit_file_survives_a_kill(spawn: Callable[..., Process], tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    process = spawn("--audit", str(file))
    process.vendor.call("POST", "/passport", json={**GOOD, "verification_id": "p-1"})
    process.vendor.control("faults", cut="before_status", route="passport")
    with pytest.raises(requests.ConnectionError):
        process.vendor.call("POST", "/passport", json={**GOOD, "verification_id": "p-2"})
    process.popen.kill()
    process.popen.wait(timeout=60)

    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    assert [(row["n"], row["verification_id"]) for row in rows] == [(1, "p-1"), (2, "p-2")]
    assert all(row["executed"] for row in rows)


@pytest.mark.parametrize(
    "options", [["--account", "nocolon"], ["--quota", "passport"], ["--quota", "nowhere=1"]]
)
def test_bad_options_are_refused(options: list[str]) -> None:
    command = [sys.executable, "-m", "sandbox", *options]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "write it as" in done.stderr


def test_importing_the_sandbox_starts_nothing() -> None:
    code = (
        "import threading, sys, sandbox.cli, sandbox.server;sys.exit(threading.active_count() != 1)"
    )

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
