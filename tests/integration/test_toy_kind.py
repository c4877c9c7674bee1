"""A fourth kind in one file works in producer, worker, settings and command line."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.local_stack import LocalStack
from satyapan import InvalidRequest, State, Verification, Verifications
from tests.support.project import APPLICATION, PRODUCER, ROOT, files

TOY_KIND = "tests.integration.toy_kind:TOY"
CUT, BAD, GOOD = "CUTCU1234T", "BADBA1234D", "ABCPV1234D"


class Vendor(ThreadingHTTPServer):
    """Serves POST /toy/pan; it answers a repeated id by 400 and a code of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.calls: Counter[str] = Counter()
        self.executed: set[str] = set()

    def decide(self, sent: Mapping[str, str]) -> tuple[int, dict[str, Any]] | None:
        """Return status and body, or None for an answer that is lost after the execution."""
        one, pan = sent["verification_id"], sent["pan"]
        self.calls[one] += 1
        if one in self.executed:
            return 400, {"code": "pan_toy_repeated", "message": "seen before"}
        if pan == BAD:
            return 400, {"code": "pan_value_invalid", "message": "no such pan"}
        self.executed.add(one)
        answer = {"verification_id": one, "reference_id": 7, "status": "VALID", "new_field": [1]}
        return None if pan == CUT else (200, {**answer, "registered_name": "JOHN DOE"})


class Handler(BaseHTTPRequestHandler):
    """One connection to the vendor."""

    server: Vendor

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        decided = self.server.decide(sent) if self.path == "/toy/pan" else (404, {})
        if decided is None:
            return
        status, body = decided
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Iterator[LocalStack]:
    """A real worker process that knows the toy kind only from SATYAPAN_KINDS."""
    env = {"SATYAPAN_KINDS": TOY_KIND, "SATYAPAN_QUOTA_PER_MINUTE": "pan-toy=1000"}
    folder = tmp_path_factory.mktemp("stack")
    address = {"SATYAPAN_CASHFREE_BASE_URL": vendor.url, "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.05"}
    with LocalStack(folder, callbacks=False, env=env, worker_env=address) as running:
        yield running


@pytest.fixture(scope="module")
def producer(stack: LocalStack) -> Verifications:
    return stack.verifications()


def end_of(producer: Verifications, pan: str, name: str) -> Verification:
    one = producer.submit("pan_toy", {"pan": pan, "name": "John Doe"}, verification_id=name)
    return producer.wait(one.id, timeout=30)


def changes(producer: Verifications, name: str) -> list[str]:
    events = producer.events(f"group of {name}", block=0.05)
    return [event.name for event in events if event.verification_id == name]


def test_the_kind_is_submitted_processed_and_answered(
    producer: Verifications, vendor: Vendor
) -> None:
    ended = end_of(producer, GOOD, "toy-good")

    assert (ended.state, ended.status, ended.reference) == (State.DONE, "VALID", "7")
    assert ended.result == {
        "verification_id": "toy-good",
        "reference_id": 7,
        "status": "VALID",
        "new_field": [1],
        "registered_name": "JOHN DOE",
    }
    assert end_of(producer, GOOD, "toy-good") == ended
    assert vendor.calls["toy-good"] == 1
    assert changes(producer, "toy-good") == ["done"]


def test_the_kinds_own_checks_apply_at_submit(producer: Verifications) -> None:
    with pytest.raises(InvalidRequest) as caught:
        producer.submit("pan_toy", {"pan": "123", "colour": "blue"}, key="a")

    assert {fault.code for fault in caught.value.faults} == {
        "pan_value_invalid",
        "colour_value_invalid",
    }


def test_the_vendors_refusal_names_its_field(producer: Verifications) -> None:
    ended = end_of(producer, BAD, "toy-bad")

    assert (ended.state, ended.reason) == (State.REFUSED, "pan_value_invalid")
    assert ended.refused_field == "pan"
    assert changes(producer, "toy-bad") == ["refused"]


def test_its_duplicate_answer_after_a_lost_one_follows_its_own_policy(
    producer: Verifications, vendor: Vendor
) -> None:
    ended = end_of(producer, CUT, "toy-cut")

    assert (ended.state, ended.reason) == (State.LOST, "lost_answer")
    assert vendor.calls["toy-cut"] == 2
    assert "toy-cut" in vendor.executed
    assert changes(producer, "toy-cut") == ["lost"]


def test_an_unexpected_duplicate_answer_is_parked(producer: Verifications, vendor: Vendor) -> None:
    vendor.executed.add("toy-taken")

    ended = end_of(producer, GOOD, "toy-taken")

    assert (ended.state, ended.reason) == (State.PARKED, "foreign_duplicate")
    assert changes(producer, "toy-taken") == ["parked"]


def test_the_command_line_lists_the_kind(stack: LocalStack) -> None:
    def satyapan(*words: str) -> str:
        command = [sys.executable, "-m", "satyapan.cli", *words]
        done = subprocess.run(
            command, env=stack.env, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "pan_toy" in satyapan("kinds")
    assert "pan_toy" in satyapan("kinds", "--json")


def test_its_private_fields_stay_private(producer: Verifications, stack: LocalStack) -> None:
    end_of(producer, "CANAR1234Y", "toy-canary")

    with redis.Redis.from_url(stack.server.url) as store:
        store.config_set("rdbcompression", "no")  # a compressed dump would hide them
        stored = b"".join(store.dump(key) or b"" for key in store.scan_iter())
    logs = b"".join(path.read_bytes() for path in stack.logs.iterdir())
    for secret in (b"CANAR1234Y", b"JOHN DOE", b"John Doe"):
        assert secret not in stored + logs
    assert b"toy-canary" in stored


def test_no_shipped_file_names_the_kind() -> None:
    shipped = [Path(name) for package in (PRODUCER, *APPLICATION) for name in files(package)]

    naming = [path for path in shipped if b"pan_toy" in ROOT.joinpath(path).read_bytes()]

    assert len(shipped) > 50
    assert naming == []
