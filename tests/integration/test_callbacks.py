"""The callbacks command as deployed: gunicorn processes, a real server, real sockets."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.supervisor import ChildFailed, Supervisor
from satyapan.names import INGEST, STATUS_CHECK
from shared.return_tokens import ReturnTokens
from tests.support.callbacks_process import (
    COMMAND,
    READY,
    Callbacks,
    raw_request,
    running_callbacks,
    send_raw,
)
from tests.support.eventually import eventually
from tests.support.process_groups import live_members
from tests.web.callbacks_app import (
    EVENT,
    SEAL_KEYS,
    SECRET,
    TOKEN_KEY,
    environment,
    insert,
    signed,
    stored_inbox,
    wakeups,
    written,
)

BODY = written(EVENT)


@pytest.fixture
def callbacks(processes: Supervisor, redis_url: str) -> Iterator[Callbacks]:
    with running_callbacks(processes, redis_url) as running:
        yield running


def test_a_webhook_is_stored_and_a_worker_is_woken(callbacks: Callbacks, redis_url: str) -> None:
    status = callbacks.post(BODY, signed(BODY))

    assert status == 200
    ((task, (webhook_id,)),) = wakeups(redis_url)
    assert task == INGEST
    webhook = stored_inbox(redis_url).read(webhook_id)
    assert webhook
    assert json.loads(webhook.body) == json.loads(BODY)


def test_a_return_requests_a_status_check_and_logs_no_identity(
    callbacks: Callbacks, redis_url: str
) -> None:
    insert(redis_url)
    token = ReturnTokens([TOKEN_KEY], 3600).sign("digilocker", "dl-1")

    answer = callbacks.session.get(f"{callbacks.url}/return/digilocker/{token}", timeout=10)
    forged = callbacks.post(BODY, signed(BODY, secret="x"))
    send_raw(callbacks.url, f"GET /{token} nonsense\r\n\r\n".encode())

    assert (answer.status_code, forged) == (200, 401)
    assert wakeups(redis_url) == [(STATUS_CHECK, ["dl-1"])]
    log = callbacks.child.log.read_text(encoding="utf-8")
    assert "signature_mismatch" in log
    for secret in (token, "dl-1", "Canary", SECRET, TOKEN_KEY, SEAL_KEYS, redis_url):
        assert secret not in log


def test_a_doubled_header_is_refused_and_a_chunked_body_is_accepted_up_to_the_limit(
    callbacks: Callbacks,
) -> None:
    headers = signed(BODY)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    doubled = [*lines, f"x-webhook-timestamp: {headers['x-webhook-timestamp']}"]

    assert send_raw(callbacks.url, raw_request(doubled, b"%d" % len(BODY), BODY)).startswith(
        b"HTTP/1.1 401"
    )
    assert send_raw(callbacks.url, raw_request(lines, None, BODY)).startswith(b"HTTP/1.1 200")
    assert send_raw(callbacks.url, raw_request(lines, None, b" " * 70_000)).startswith(
        b"HTTP/1.1 413"
    )


def test_no_process_title_contains_a_secret(callbacks: Callbacks) -> None:
    eventually(lambda: len(live_members(callbacks.child.pid)) >= 3)

    pids = live_members(callbacks.child.pid)
    titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]

    for secret in (SECRET, TOKEN_KEY, SEAL_KEYS):
        assert not [title for title in titles if secret.encode() in title]


def test_a_killed_web_process_is_replaced(callbacks: Callbacks) -> None:
    eventually(lambda: len(live_members(callbacks.child.pid)) >= 3)
    before = live_members(callbacks.child.pid)
    victim = max(before - {callbacks.child.pid})

    os.kill(victim, signal.SIGKILL)

    eventually(lambda: live_members(callbacks.child.pid) - before)
    assert callbacks.post(BODY, signed(BODY)) == 200


def test_sigterm_ends_all_processes_cleanly(callbacks: Callbacks, processes: Supervisor) -> None:
    assert callbacks.post(BODY, signed(BODY)) == 200

    code = processes.end("callbacks")

    assert code == 0, "it was killed after the grace period"
    assert not live_members(callbacks.child.pid)
    with pytest.raises(ConnectionRefusedError):
        send_raw(callbacks.url, b"")


def test_folders_of_killed_apps_are_deleted_and_those_of_running_apps_stay(
    processes: Supervisor, redis_url: str, tmp_path: Path
) -> None:
    env = environment(redis_url) | {"TMPDIR": str(tmp_path)}

    def start(name: str) -> Path:
        before = set(tmp_path.iterdir())
        ready = processes.start(name, COMMAND, env=env, ready=READY).ready
        assert ready
        # A SIGTERM that comes while gunicorn forks its worker can be lost: it then ends after 20 s.
        assert requests.get(f"{ready['url']}/healthz", timeout=10).ok
        (folder,) = set(tmp_path.glob("satyapan-metrics-*")) - before
        return folder

    first, other = start("first"), start("other")
    processes.kill("first")
    assert first.exists()

    third = start("third")

    eventually(lambda: not first.exists())
    assert other.exists()
    processes.end("third")
    assert not third.exists()


def test_all_invalid_settings_are_reported_at_once_without_their_values(
    processes: Supervisor,
) -> None:
    env = environment("http://canary.example", CALLBACKS_TOKEN_KEYS="canary", SEAL_KEYS="canary")

    with pytest.raises(ChildFailed) as failed:
        processes.start("callbacks", COMMAND, env=env, ready=READY)

    for name in ("REDIS_URL", "CALLBACKS_TOKEN_KEYS", "SEAL_KEYS"):
        assert f"SATYAPAN_{name}" in str(failed.value)
    assert not re.search("canary|Traceback", str(failed.value))
